"""The only place that downloads: networks' weights, and sample footage.

Nothing is opened, unpickled or put in place before its sha256 equals the card's; a source that fails gives
way to the next.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from detector.errors import ModelError, StorageError
from models.catalog import Card, DebSource, Download, Source, UrlSource, WheelSource, networks_dir

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]  # what, bytes done, bytes in all (0: unknown)

CONNECT_S, READ_S, TOOL_S = 4.0, 15.0, 300.0
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
    return fetch_file(card.name, weights, networks_dir(), progress or quiet)


def fetch_file(name: str, wanted: Download, folder: Path, progress: Progress) -> Path:
    """The wanted file in `folder`, verified. Raises ModelError with each source's reason, StorageError."""
    with writing(folder):
        return _fetch(name, wanted, folder, progress)


def _fetch(name: str, weights: Download, folder: Path, progress: Progress) -> Path:
    target = folder / weights.file
    reasons = []
    if target.is_file():
        found = sha256(target)
        if found == weights.sha256:
            return target
        reasons.append(f"file in place: sha256 is {found}")
    target.parent.mkdir(parents=True, exist_ok=True)
    for source in weights.sources:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as scratch:
            part = Path(scratch) / "part"
            try:
                _get(source, part, progress)
                _verify(part, weights)
            except _SourceFailed as error:
                log.warning("source failed file=%s source=%r reason=%r", name, str(source), str(error))
                reasons.append(f"{source}: {error}")
                continue
            part.replace(target)
            log.info("fetched file=%s source=%r", name, str(source))
            return target
    raise ModelError(
        "no source gives this file",
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


def _verify(part: Path, weights: Download) -> None:
    found = sha256(part)
    if found != weights.sha256:
        raise _SourceFailed(f"sha256 is {found}, {part.stat().st_size} bytes")


def _get(source: Source, part: Path, progress: Progress) -> None:
    if isinstance(source, UrlSource):
        _get_url(source, part, progress)
    elif isinstance(source, WheelSource):
        _get_wheel(source, part, progress)
    else:
        _get_deb(source, part, progress)


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
    _run([*command, "--dest", str(folder), wanted], folder.parent)
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


def _get_deb(source: DebSource, part: Path, progress: Progress) -> None:
    """Download and unpack a Debian package: no root needed, nothing is installed."""
    folder = part.parent / "deb"
    lists = folder / "lists"
    (lists / "partial").mkdir(parents=True)
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise _SourceFailed(f"no {tool} here")
    progress(f"apt-get download {source.package}", 0, 0)
    # As the caller: the sandboxed user of apt cannot write here.
    apt = ["apt-get", "-q", "-o", "APT::Sandbox::User=root"]
    try:
        _run([*apt, "download", source.package], folder)
    except _SourceFailed:  # no package lists on a fresh machine: fetch them into a folder of our own
        apt += ["-o", f"Dir::State::Lists={lists}"]
        _run([*apt, "update"], folder)
        _run([*apt, "download", source.package], folder)
    _run(["dpkg-deb", "-x", str(next(folder.glob("*.deb"))), str(folder / "tree")], folder)
    member = folder / "tree" / source.member
    if not member.is_file():
        raise _SourceFailed(f"no member {source.member}")
    member.replace(part)


def _run(command: list[str], folder: Path) -> None:
    """Run a package tool in `folder`; its last line says why it failed."""
    folder.mkdir(exist_ok=True)
    tool = "pip" if command[0] == sys.executable else command[0]
    try:
        subprocess.run(  # noqa: S603  # our own interpreter or a package tool, words from a card
            command, check=True, capture_output=True, text=True, timeout=TOOL_S, cwd=folder
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or ["no message"]
        raise _SourceFailed(f"{tool}: {said[-1]}") from error
    except subprocess.TimeoutExpired as error:
        raise _SourceFailed(f"{tool} took more than {TOOL_S:g} s") from error
