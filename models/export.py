"""Gives a network's ONNX file: the one in place if it is the card's, else fetched weights, exported.

Torch and ultralytics live in an environment of their own (`cache_dir()/export-env`) and run as a child
process; the runtime never imports them. Beside NAME.onnx lies, where the head allows it, the same network
without its decoding (`cut_path`), and NAME.json: the hash of the weights they came from, their own and the
exporters' versions. Files that do not agree with it are exported again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from detector.errors import ModelError
from models.catalog import Card, Download, cache_dir, cut_path, network_path, networks_dir
from models.fetch import Progress, fetch, quiet, sha256, writing

log = logging.getLogger(__name__)

# The extra `export` of pyproject.toml is these two together (a test holds them equal).
REQUIREMENTS = (
    "torch==2.13.0",
    "onnx>=1.19",
    "onnxslim>=0.1.70",
    "onnxruntime>=1.20",
    "opencv-python-headless>=4.10",
    "pillow>=11",
    "pyyaml>=6",
    "requests>=2.32",
    "psutil>=7",
    "matplotlib>=3.10",
    "polars>=1.30",
    "lap>=0.5.12",
)
# Without what they ask for: ultralytics asks for opencv-python, which needs a libGL that servers do not have,
# and of torchvision only the presence is needed.
REQUIREMENTS_ALONE = (
    "ultralytics==8.4.190",
    "ultralytics-thop>=2",
    "ultralytics-platform>=0.1",
    "torchvision",
)

EXPORT_S = 600.0
STEPS = ("Collecting", "Downloading", "Installing")  # the lines of pip that show it goes on
SCRIPT = Path(__file__).with_name("export_script.py")


def ensure_network(card: Card, progress: Progress | None = None) -> Path:
    """The card's ONNX file, verified; instant when it is in place.

    Raises ModelError, or StorageError when the disk refuses.

    Safe to call from several processes at once: one works, the others wait and find the result.
    """
    path = network_path(card)
    if card.weights is None:
        if not path.is_file():
            raise ModelError(
                "the network file is missing", where=str(path), todo="Put the ONNX file there by hand"
            )
        return path
    if not _verified(card, card.weights):
        with writing(networks_dir()), _locked(networks_dir() / ".lock"):
            if not _verified(card, card.weights):
                _export(card, card.weights, fetch(card, progress), progress or quiet)
    return path


def export_python(progress: Progress | None = None) -> Path:
    """The Python of the export environment, which is made first if need be. Raises ModelError."""
    with writing(cache_dir()), _locked(cache_dir() / "export-env.lock"):
        return _environment(progress or quiet)


def export_environment() -> Path | None:
    """The Python of the export environment as it is; None where it was not made, or for other requirements."""
    python, done = _python_of(cache_dir() / "export-env")
    if python.is_file() and done.is_file() and done.read_text(encoding="utf-8") == _wanted():
        return python
    return None


def record_path(card: Card) -> Path:
    """Where it is written from what the ONNX files were made."""
    return network_path(card).with_suffix(".json")


def _verified(card: Card, weights: Download) -> bool:
    """Whether all files are there that were exported from the card's weights, and unchanged."""
    try:
        record = json.loads(record_path(card).read_text(encoding="utf-8"))
        hashes: dict[str, str] = dict(record["files"])
        if record["weights_sha256"] != weights.sha256 or network_path(card).name not in hashes:
            return False
        return all(sha256(networks_dir() / name) == wanted for name, wanted in hashes.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _export(card: Card, weights: Download, fetched: Path, progress: Progress) -> None:
    python = export_python(progress)
    progress(f"export {card.name}", 0, 0)
    with tempfile.TemporaryDirectory(dir=networks_dir(), prefix=".export-") as name:
        folder = Path(name)
        # What is unpickled is a copy that nobody else writes to, hashed once more.
        copy = folder / weights.file
        shutil.copyfile(fetched, copy)
        if (found := sha256(copy)) != weights.sha256:
            raise ModelError("the weights changed", where=str(fetched), wanted=weights.sha256, got=found)
        path = network_path(card)
        out, cut = folder / "plain.onnx", folder / "cut.onnx"
        _run_script(python, [copy, out, cut], path.with_suffix(".export.log"))
        made = {path: out} | ({cut_path(path, sha256(out)): cut} if cut.is_file() else {})
        record = {
            "network": card.name,
            "weights_sha256": weights.sha256,
            "files": {place.name: sha256(file) for place, file in made.items()},
            "exporters": json.loads(Path(f"{out}.versions.json").read_text(encoding="utf-8")),
        }
        note = folder / "record"
        note.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        for stale in networks_dir().glob(f"{card.name}.cut-*.onnx"):
            stale.unlink()
        for place, file in made.items():
            file.replace(place)
        note.replace(record_path(card))
    progress(f"export {card.name}", 1, 1)
    log.info("exported network=%s folder=%s", card.name, networks_dir())


def _run_script(python: Path, files: list[Path], journal: Path) -> None:
    """Run the export in its environment, its output going to `journal`."""
    env = _environ() | {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}
    # -I: else the script's folder, this package, would come first and its onnx.py stand for the library.
    command = [str(python), "-I", str(SCRIPT), *map(str, files)]
    with journal.open("wb") as file:
        try:
            subprocess.run(  # noqa: S603  # our own script
                command, env=env, stdout=file, stderr=file, cwd=files[0].parent, timeout=EXPORT_S, check=True
            )
        except subprocess.TimeoutExpired as error:
            raise ModelError(
                "the export takes too long", where=str(journal), wanted=f"{EXPORT_S:g} s"
            ) from error
        except subprocess.CalledProcessError as error:
            tail = journal.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
            raise ModelError(
                "the export failed", where=files[0].name, got=" / ".join(tail), todo=f"See {journal}"
            ) from error


def _environ() -> dict[str, str]:
    """Our own variables, with the settings that ultralytics and matplotlib write kept in the cache."""
    settings = cache_dir() / "export-settings"
    settings.mkdir(parents=True, exist_ok=True)
    return dict(os.environ) | {"YOLO_CONFIG_DIR": str(settings), "MPLCONFIGDIR": str(settings)}


def _environment(progress: Progress) -> Path:
    """Make the environment anew unless it was completed with these very requirements."""
    if (made := export_environment()) is not None:
        return made
    folder = cache_dir() / "export-env"
    python, done = _python_of(folder)
    shutil.rmtree(folder, ignore_errors=True)
    _install([sys.executable, "-m", "venv", str(folder)], "make the export environment", progress)
    pip = [
        str(python),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
    ]
    _install([*pip, *REQUIREMENTS], "install torch and the ONNX tools", progress)
    _install([*pip, "--no-deps", *REQUIREMENTS_ALONE], "install ultralytics", progress)
    done.write_text(_wanted(), encoding="utf-8")
    return python


def _python_of(folder: Path) -> tuple[Path, Path]:
    """Its Python, and the file that says for which requirements it is complete."""
    return folder / "bin" / "python", folder / "complete.json"


def _wanted() -> str:
    return json.dumps([REQUIREMENTS, REQUIREMENTS_ALONE, sys.version_info[:2]])


def _install(command: list[str], what: str, progress: Progress) -> None:
    """Run one step of the installation, what it gets passed on as progress."""
    progress(what, 0, 0)
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603  # our own interpreter and requirements
        command, env=_environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            said.append(line.strip())
            if line.startswith(STEPS):
                progress(f"{what}: {line.strip()[:60]}", 0, 0)
    if child.returncode:
        raise ModelError(
            "the export environment cannot be made", where=what, got=" / ".join(said[-3:]),
            todo=f"Connect this machine, or put the ONNX file and its record into {networks_dir()}",
        )  # fmt: skip


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file lock; it falls with the process that holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
