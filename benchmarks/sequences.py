"""Finds the sequences of a data folder by their layout: each as detections and truth. No list of files.

    FOLDER/*.avi|mp4|...  FOLDER/annotations/*.xml   a video and its boxes: detected with the product's own path
    SET/FOLDER/det*.txt   SET/FOLDER/gt*.txt         MOTChallenge text: others' detections, the truth

A truth file that ends in `-cropped` covers only part of the picture and is not used.
"""

from __future__ import annotations

import configparser
import math
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from av import VideoFrame

from benchmarks.mot import Labels, read_milan_xml, read_mot_detections, read_mot_truth
from detector.errors import ConfigError, SourceEnded
from detector.types import Detections, Stamp
from models.onnx import OnnxDetector
from streams.address import address_of
from streams.frame import Frame, upright_size
from streams.source import Source, open_source

VIDEOS = frozenset({".avi", ".mp4", ".mkv", ".mov", ".webm"})
RATES = Path(__file__).with_name("rates.toml")
USUAL_FPS = 25.0
START = datetime(2000, 1, 1, tzinfo=UTC)  # any: no figure depends on it


@dataclass(frozen=True, slots=True)
class Sequence:
    """A labelled sequence; nothing is read before it is asked for."""

    name: str  # as in the figures' names
    data: str  # set and folder, for people
    folder: Path
    truth_path: Path
    source: Path  # the video, or the text of detections

    @property
    def has_pictures(self) -> bool:
        """Whether detection can be measured on it."""
        return self.source.suffix.lower() in VIDEOS


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything a tracker is given, and the truth: lists of equal length, one entry per picture."""

    stamps: list[Stamp]
    detections: list[Detections]
    truth: list[Labels]
    fps: float


def find_sequences(data_dir: Path) -> list[Sequence]:
    """Give every sequence in `data_dir`, by path."""
    found = []
    for xml in sorted(data_dir.glob("*/annotations/*.xml")):
        folder = xml.parent.parent
        videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEOS)
        if videos and not xml.stem.endswith("-cropped"):
            found.append(Sequence(short_name(folder.name), folder.name, folder, xml, videos[0]))
    for truth in sorted(data_dir.glob("*/*/gt*.txt")):
        folder = truth.parent
        texts = sorted(folder.glob("det*.txt"))
        if texts:
            data = f"{folder.parent.name}/{folder.name}"
            found.append(Sequence(short_name(folder.name), data, folder, truth, texts[0]))
    return found


def load(sequence: Sequence, detector: OnnxDetector | None, seen: Callable[[int, int], None]) -> Recording:
    """Read or detect a sequence; `seen(done, total)` hears of each picture. Raises WatchError."""
    if not sequence.has_pictures:
        return _load_text(sequence)
    if detector is None:
        raise ValueError(f"{sequence.name}: wanted a detector for a sequence of pictures, got None")
    truth = read_milan_xml(sequence.truth_path)
    stamps, detections = [], []
    for frame in pictures(sequence.source):
        stamps.append(frame.stamp)
        detections.append(detector.detect([frame])[0])
        seen(len(stamps), len(truth))
    if len(stamps) != len(truth):
        raise ConfigError(
            "video and labels do not belong together", where=str(sequence.folder),
            wanted=f"{len(truth)} pictures", got=str(len(stamps)),
        )  # fmt: skip
    return Recording(stamps, detections, truth, _fps(stamps))


def pictures(path: Path) -> Iterator[Frame]:
    """Give every picture of a video file with its own time, in order. Raises SourceUnreadable."""
    source = open_source(address_of(str(path), "", "", Path()))
    try:
        for index, video in enumerate(_decoded(source)):
            width, height = upright_size(video)
            t = index / (source.fps or USUAL_FPS) if video.time is None else video.time
            yield Frame(Stamp("bench", 0, index, t, START + timedelta(seconds=t), width, height), video)
    finally:
        source.close()


def _decoded(source: Source) -> Iterator[VideoFrame]:
    while True:
        try:
            packet = source.read()
        except SourceEnded:
            yield from source.flush()
            return
        yield from source.decode(packet)


def _load_text(sequence: Sequence) -> Recording:
    truth = read_mot_truth(sequence.truth_path)
    detections = read_mot_detections(sequence.source, len(truth))
    fps = _text_fps(sequence.folder)
    # The text does not say how large the picture is; detectors clip to it, so the outermost boxes do.
    corners = [seen.boxes[:, 2:].max(axis=0) for seen in detections if len(seen)]
    width, height = (math.ceil(max(corner[axis] for corner in corners)) + 1 for axis in (0, 1))
    stamps = [
        Stamp("bench", 0, n, n / fps, START + timedelta(seconds=n / fps), width, height)
        for n in range(len(truth))
    ]
    return Recording(stamps, detections, truth, fps)


def _text_fps(folder: Path) -> float:
    """Pictures a second: what the folder says, else what is known of a sequence of that name, else 25."""
    parser = configparser.ConfigParser()
    parser.read(folder / "seqinfo.ini", encoding="utf-8")
    known = tomllib.loads(RATES.read_text(encoding="utf-8"))
    return parser.getfloat("Sequence", "frameRate", fallback=float(known.get(folder.name, USUAL_FPS)))


def _fps(stamps: list[Stamp]) -> float:
    return (len(stamps) - 1) / (stamps[-1].t - stamps[0].t)


def short_name(folder: str) -> str:
    """Give the name in figures: the folder's in lower case, without the year, _ for what is no letter."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(19|20)\d\d", "", folder.lower())).strip("_")
