"""Hand-offs from pixels, on recordings in which none is right: detector, tracker, pairs, pose, rule, as in a worker.

    ut_interaction/labels.csv (clip, class), set*/*.avi      two people each: handshake, hug, kick, point, punch, push
    pets2009_s2l1/*.avi, intel_sample_videos/*.mp4           people who walk; nothing is handed over

Judged 10 times a second of the recording, as a close pair is. Beside the rule, in the same run: nearness alone
(a close pair is an alert), and hands alone (a touch as in a hand-over is an alert, whatever is in the hands).
Clips that are cut when the action ends may end before hands have parted: how many touches were decided is told.
"""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import av

from benchmarks.report import Figure
from benchmarks.sequences import short_name
from detector.errors import ConfigError
from detector.pairs import PairSight
from detector.rules.handoff import EXCHANGE, LEAST_PX, Handoff, HandoffCounts, HandoffParams
from detector.scene import Scene
from detector.types import Phase
from models.catalog import load_card, network_path
from models.onnx import DetectorOptions, OnnxDetector
from streams.config import parse_site
from streams.feed import Clock
from streams.flow import Board
from streams.frame import Frame
from streams.pairlook import PairLooker
from streams.reader import Outside, Reader
from streams.source import VideoPacket

FPS = 10.0
ACTED = "ut_interaction"
QUIET = ("pets2009_s2l1", "intel_sample_videos")
CONFUSERS = ("handshake", "hug")
_ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)
_ENDINGS = {".avi", ".mp4"}
Show = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Film:
    """One recording and what it shows."""

    path: Path
    label: str


@dataclass(slots=True)
class Seen:
    """What came of one recording."""

    film: Film
    counts: HandoffCounts
    n_alerts: int = 0
    n_sights: int = 0  # close pairs, picture by picture
    n_small: int = 0  # of them too small for wrists
    n_blank: int = 0  # of the large ones: no wrist was seen
    exchange: float = 0.0  # the most that the network held it for a hand-over
    seconds: float = 0.0


class _Watch(Board):
    """A board with nobody behind it: a picture that is put is judged at once."""

    def __init__(self, film: Film, detector: OnnxDetector, looker: PairLooker) -> None:
        super().__init__(lossless=True)
        rule = Handoff()
        self.seen = Seen(film, rule.counts)
        self._scene = Scene("film", UUID(int=0), [rule])
        self._detector, self._looker = detector, looker

    def put(self, frame: Frame, stop: threading.Event) -> bool:
        """Judge a picture."""
        del stop
        watched = self._scene.track(frame.stamp, self._detector.detect([frame.for_network])[0])
        (sights,) = self._looker.look([(frame, watched)])
        alerts = self._scene.judge(watched, sights).alerts
        seen = self.seen
        seen.n_alerts += sum(alert.phase is Phase.OPENED for alert in alerts)
        seen.seconds = frame.stamp.t
        for sight in sights:
            _count(seen, sight)
        return True


def _count(seen: Seen, sight: PairSight) -> None:
    seen.n_sights += 1
    if sight.pair.body_px < LEAST_PX:
        seen.n_small += 1
        return
    seen.n_blank += not bool((sight.skeletons[:, 9:11, 2] >= 0.3).any())
    seen.exchange = max(seen.exchange, sight.activities.get(EXCHANGE, 0.0))


class _NoRecorder:
    """Nothing is kept of the packets."""

    def begin(self, template: av.VideoStream, epoch: int) -> None: ...
    def add(self, packet: VideoPacket, t: float, keyframe: bool) -> None: ...
    def tick(self) -> None: ...
    def end(self) -> None: ...


def find_films(data: Path) -> dict[str, list[Film]]:
    """The recordings in the data folder, by folder. Raises ConfigError for labels that cannot be read."""
    found = {}
    if (data / ACTED / "labels.csv").is_file():
        try:
            with (data / ACTED / "labels.csv").open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if row["clip"]]
            found[ACTED] = [Film(data / ACTED / row["clip"], row["class"]) for row in rows]
        except (KeyError, ValueError, OSError) as error:
            raise ConfigError("the labels cannot be read", where=str(data / ACTED), got=str(error)) from error
    for name in QUIET:
        films = [Film(path, "") for path in sorted((data / name).glob("*")) if path.suffix in _ENDINGS]
        if films:
            found[name] = films
    return found


def film_name(folder: str) -> str:
    """How the figures of a folder are named."""
    return short_name(folder).removesuffix("_interaction").removesuffix("_sample_videos")


def watch_films(films: Sequence[Film], show: Show) -> list[Seen]:
    """Judge recordings one after another. Raises ModelError."""
    card = load_card("yolov8n")
    detector, looker = OnnxDetector(card, network_path(card), DetectorOptions()), PairLooker()
    told = []
    for done, film in enumerate(films):
        camera = {"id": "film", "source": str(film.path), "analyse_fps": FPS, "pace": "fast"}
        site = parse_site({"cameras": [camera | {"rules": [{"rule": "handoff"}]}]}, film.path.parent)
        board = _Watch(film, detector, looker)
        clock = Outside(clock=Clock(now=lambda: _ORIGIN))
        Reader(site.cameras[0], board, _NoRecorder(), lambda _: None, clock).run(threading.Event())
        told.append(board.seen)
        show(done + 1, len(films))
    return told


def acted_figures(films: Sequence[Film], show: Show) -> list[Figure]:
    """How many clips of each activity alert, and what nearness and hands alone would have said of them."""
    told, figures = watch_films(films, show), []
    confusing = [one for one in told if one.film.label in CONFUSERS]
    figures.append(
        _figure(ACTED, "false_alerts", _alerting(confusing), "clips", (" and ".join(CONFUSERS), confusing))
    )
    for label in dict.fromkeys(film.label for film in films):
        part = [one for one in told if one.film.label == label]
        figures.append(_figure(ACTED, f"{label}.alerts", _alerting(part), "clips", (label, part)))
    figures.append(
        _figure(
            ACTED, "touches_decided", float(sum(one.counts.n_touches for one in told)), "touches", ("all", told)
        )
    )  # fmt: skip
    return [*figures, *_sizes(ACTED, told)]


def quiet_figures(name: str, films: Sequence[Film], show: Show) -> list[Figure]:
    """Alerts an hour where none is right."""
    told = watch_films(films, show)
    hours = sum(one.seconds for one in told) / 3600
    rate = Figure(
        name=f"handoff.{film_name(name)}.alerts_per_hour",
        value=sum(one.n_alerts for one in told) / hours,
        unit="1/h",
        data=name,
        split=f"{hours * 60:.1f} minutes, none is right",
        n=len(told),
        peers={"hands_alone": sum(one.n_alerts + one.counts.n_possible for one in told) / hours},
    )
    return [rate, *_sizes(name, told)]


def _alerting(told: Sequence[Seen]) -> float:
    return float(sum(one.n_alerts > 0 for one in told))


def _peers(told: Sequence[Seen]) -> dict[str, float]:
    """Recordings in which nearness alone, and hands alone as the network reads them, would alert."""
    limit = HandoffParams().min_probability
    return {
        "nearness": float(sum(one.n_sights > 0 for one in told)),
        "hands_alone": float(sum(one.counts.n_possible > 0 or one.n_alerts > 0 for one in told)),
        "network_alone": float(sum(one.exchange >= limit for one in told)),
    }


def _figure(name: str, part: str, value: float, unit: str, of: tuple[str, Sequence[Seen]]) -> Figure:
    split, told = of
    peers = {} if unit == "touches" else _peers(told)
    name = f"handoff.{film_name(name).removesuffix('_interaction')}.{part}"
    return Figure(name=name, value=value, unit=unit, data=ACTED, split=split, n=len(told), peers=peers)


def _sizes(name: str, told: Sequence[Seen]) -> list[Figure]:
    """How many sights of pairs were too small for wrists, and in how many of the others no wrist was seen."""
    n, small = sum(one.n_sights for one in told), sum(one.n_small for one in told)
    blank, large = sum(one.n_blank for one in told), n - small
    prefix = f"handoff.{film_name(name).removesuffix('_interaction')}"
    split = f"close pairs, picture by picture; small: under {LEAST_PX:g} px"
    values = (
        ("too_small_share", small / n if n else None, n),
        ("no_wrist_share", blank / large if large else None, large),
    )
    return [
        Figure(name=f"{prefix}.{part}", value=value, unit="1", data=name, split=split, n=count)
        for part, value, count in values
    ]  # fmt: skip
