"""The only place that downloads a network's weights.

Nothing is opened, unpickled or put in place before its sha256 equals the card's; a source that fails gives
way to the next.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from detector.errors import ModelError, StorageError
from models.catalog import Card, Source, UrlSource, Weights, WheelSource, networks_dir

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]  # what, bytes done, bytes in all (0: unknown)

CONNECT_S, READ_S, WHEEL_S = 4.0, 15.0, 180.0
CHUNK_BYTES = 1 << 18


class _SourceFailed(Exception):
    """One source did not give the file; its text says why."""


def fetch(card: Card, progress: Progress | None = None) -> Path:
    """The card's weights in `networks_dir()`, verified.

    Raises ModelError with each source's reason, StorageError when the folder cannot be written.
    """
    weights = card.weights
    if weights is None:
        raise ModelError(
            "this network has no source", where=card.name, todo="Put its ONNX file in place by hand"
        )
    with writing(networks_dir()):
        return _fetch(card.name, weights, progress or quiet)


def _fetch(name: str, weights: Weights, progress: Progress) -> Path:
    target = networks_dir() / weights.file
    reasons = []
    if target.is_file():
        found = sha256(target)
        if found == weights.sha256:
            return target
        reasons.append(f"file in place: sha256 is {found}")
    target.parent.mkdir(parents=True, exist_ok=True)
    for source in weights.sources:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
            part = Path(folder) / "part"
            try:
                _get(source, part, progress)
                _verify(part, weights)
            except _SourceFailed as error:
                log.warning("source failed network=%s source=%r reason=%r", name, str(source), str(error))
                reasons.append(f"{source}: {error}")
                continue
            part.replace(target)
            log.info("fetched network=%s source=%r", name, str(source))
            return target
    raise ModelError(
        "no source gives the weights",
        where=name,
        wanted=f"a file with sha256 {weights.sha256}",
        got="; ".join(reasons) or "no source in the card",
        todo=f"Put the file at {target} by hand, or connect this machine and try again",
    )


def sha256(path: Path) -> str:
    """The hash of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn the disk's refusals into StorageError."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            "the disk refuses", where=str(folder), wanted="a folder to write", got=str(error)
        ) from error


def quiet(what: str, done: int, total: int) -> None:
    """Progress that goes nowhere."""
    del what, done, total


def _verify(part: Path, weights: Weights) -> None:
    found = sha256(part)
    if found != weights.sha256:
        raise _SourceFailed(f"sha256 is {found}, {part.stat().st_size} bytes")


def _get(source: Source, part: Path, progress: Progress) -> None:
    if isinstance(source, UrlSource):
        _get_url(source, part, progress)
    else:
        _get_wheel(source, part, progress)


def _get_url(source: UrlSource, part: Path, progress: Progress) -> None:
    name = source.url.rsplit("/", 1)[-1]
    limits = httpx.Timeout(READ_S, connect=CONNECT_S)
    try:
        with httpx.stream("GET", source.url, timeout=limits, follow_redirects=True) as answer:
            answer.raise_for_status()
            total = int(answer.headers.get("content-length", "0"))
            with part.open("wb") as file:
                for chunk in answer.iter_bytes(CHUNK_BYTES):
                    file.write(chunk)
                    progress(name, file.tell(), total)
    except httpx.HTTPStatusError as error:
        raise _SourceFailed(f"HTTP status {error.response.status_code}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _SourceFailed(f"{type(error).__name__}: {error}") from error


def _get_wheel(source: WheelSource, part: Path, progress: Progress) -> None:
    wanted = f"{source.package}=={source.version}"
    progress(f"pip download {wanted}", 0, 0)
    folder = part.parent / "wheel"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += [
        "--disable-pip-version-check",
        "--ignore-requires-python",
        "--retries",
        "1",
        "--timeout",
        "15",
    ]
    try:
        subprocess.run(  # noqa: S603  # our own interpreter, words from a card
            [*command, "--dest", str(folder), wanted],
            check=True, capture_output=True, text=True, timeout=WHEEL_S,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or ["no message"]
        raise _SourceFailed(f"pip download: {said[-1]}") from error
    except subprocess.TimeoutExpired as error:
        raise _SourceFailed(f"pip download took more than {WHEEL_S:g} s") from error
    wheel = next(folder.glob("*.whl"))
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(source.member) as member,
            part.open("wb") as file,
        ):
            total = archive.getinfo(source.member).file_size
            while chunk := member.read(CHUNK_BYTES):
                file.write(chunk)
                progress(source.member, file.tell(), total)
    except (zipfile.BadZipFile, KeyError) as error:
        raise _SourceFailed(f"{wheel.name}: {error}") from error
