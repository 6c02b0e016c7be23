"""Broken and unusual recordings through the worker's own reader: pictures decoded, and what is said of each.

Whatever video files lie in the folder are read, each to its end or to a limit. ffprobe, where there is one,
counts the pictures that FFmpeg decodes; a difference is what the reader leaves out, and the text says why.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av

from api.schemas import CameraState
from benchmarks.report import Figure, Report
from detector.errors import ConfigError
from streams.address import address_of
from streams.config import Camera
from streams.flow import Board, Stage
from streams.reader import CameraHealth, Reader
from streams.source import VideoPacket

SUFFIXES = frozenset(
    (
        ".mp4",
        ".mkv",
        ".avi",
        ".ts",
        ".mov",
        ".webm",
        ".flv",
        ".h264",
        ".h265",
        ".hevc",
        ".mjpeg",
        ".mpg",
        ".m4v",
    )
)
LIMIT_S = 120.0  # for one file; one that takes longer hangs
PEER = "ffprobe"


@dataclass(frozen=True, slots=True)
class Read:
    """One file, read."""

    health: CameraHealth
    n_judged: int
    n_epochs: int
    hangs: bool
    died: str  # the fault that ended the reader; "": none

    def said(self) -> str:
        """What a person is told of it."""
        health = self.health
        parts = [health.reason] if health.state is not CameraState.ENDED else []
        parts += [f"died: {self.died}"] if self.died else []
        parts += ["hangs"] if self.hangs else []
        for n, what in (
            (health.n_decode_errors, "bad packets"),
            (health.n_corrupt, "damaged pictures not judged"),
            (health.n_untimed, "pictures left out, their time did not go forward"),
            (max(0, self.n_epochs - 1), "times begun anew"),
        ):
            parts += [f"{n} {what}"] if n else []
        parts += ["times estimated"] if health.estimated_time else []
        return "; ".join(parts) or "nothing"


def odd_videos(folder: Path, progress: Callable[[str, int, int], None]) -> Report:
    """Read every video file below `folder`. Raises ConfigError when there is none."""
    videos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not videos:
        raise ConfigError("no video file", where=str(folder), wanted=" ".join(sorted(SUFFIXES)))
    figures = []
    for i, video in enumerate(videos):
        progress("files", i, len(videos))
        figures.append(_figure(video, folder, read_file(video)))
    progress("files", len(videos), len(videos))
    whole = [figure for figure in figures if figure.value is not None]
    figures.append(
        Figure(
            name="odd_videos.files", value=len(whole), unit="files read to the end or refused with a reason",
            data=folder.name, split="all", n=len(videos),
        )
    )  # fmt: skip
    return Report.of(figures)


def read_file(video: Path, limit_s: float = LIMIT_S) -> Read:
    """Read one file as a camera, every picture, as fast as it goes."""
    camera = Camera(
        id="odd",
        name="odd",
        address=address_of(str(video), "", "", Path.cwd()),
        analyse_fps=float("inf"),
        pace="fast",
    )
    board, sink, died = Board(lossless=True), _Sink(), list[BaseException]()
    reader = Reader(camera, board, sink, lambda _health: None)
    stage = Stage("odd", reader.run, ends=(board,), on_death=lambda _, error: died.append(error))
    stage.start()
    n_judged, deadline = 0, time.monotonic() + limit_s
    while not board.done and time.monotonic() < deadline:
        n_judged += len(board.take(8, 0.2))
    hangs = not board.done
    hangs = not stage.stop(5.0) or hangs
    return Read(reader.health, n_judged, sink.n_epochs, hangs, repr(died[0]) if died else "")


class _Sink:
    """Keeps no packet, counts the stretches."""

    def __init__(self) -> None:
        self.n_epochs = 0

    def begin(self, template: av.VideoStream, epoch: int) -> None:
        del template, epoch
        self.n_epochs += 1

    def add(self, packet: VideoPacket, t: float, keyframe: bool) -> None: ...
    def tick(self) -> None: ...
    def end(self) -> None: ...


def _figure(video: Path, folder: Path, read: Read) -> Figure:
    name = str(video.relative_to(folder).with_suffix("")).replace("/", ".")
    lost = read.hangs or bool(read.died)
    count = _ffprobe_count(video)
    return Figure(
        name=f"odd_videos.{name}.decoded",
        value=None if lost else read.health.n_decoded,
        unit="pictures",
        data=video.name,
        split=read.said(),
        n=read.n_judged,
        peers={} if count is None else {PEER: count},
    )


def _ffprobe_count(video: Path) -> int | None:
    """Pictures that FFmpeg decodes of the same stream; None: there is no ffprobe, or it does not say."""
    ffprobe = shutil.which("ffprobe")
    if ffprobe is None:
        return None
    command = [ffprobe, "-v", "quiet", "-count_frames", "-select_streams", "v:0"]
    command += ["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", str(video)]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return None
    digits = told.stdout.strip().split("\n")[0].strip(",")
    return int(digits) if digits.isdigit() else None
