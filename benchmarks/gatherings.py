"""Gatherings on labelled tracks: what the real rule and the real episodes say of them, beside a head count.

    SET_gatherings/{clips,gatherings,identities}.csv, SET_gatherings/tracks/CLIP.csv.gz

The tracks are those of the labels, one id for one person; the product's tracker and network are left out, so
these figures are of the rule alone. They come as they would from a camera judged `FPS` times a second: nothing
of the future is known. Only annotated people have tracks: rates of alerts are lower bounds.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np

from benchmarks.events import Call, Event
from benchmarks.sequences import START, short_name
from detector.boxes import feet as feet_of
from detector.errors import ConfigError
from detector.rules.base import History, Rule, Summary, Timing, View
from detector.rules.gathering import GatheringParams
from detector.scene import Scene
from detector.types import F32, I64, Alert, Fact, Finding, Kind, Phase, Severity, Stamp, Tracks

FPS = 5.0  # judged pictures a second, as of a camera by default
FRAME_S = 1 / 30  # of the recordings
EVERY = round(1 / (FPS * FRAME_S))
LOOK_BACK_S = 1.0  # a person's velocity is that over this time
EXCUSED_S = 10.0  # people together for this long, but not for the whole hold time, excuse a call
SIZES = ((1920, 1080), (1080, 1920))
OUTSIDE_PX = 60  # boxes may run so far out of the picture
_RUN = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording of a set."""

    name: str
    kind: str  # what it was chosen for
    date: str
    length_s: float
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class GatheringSet:
    """A folder of clips; tracks are read one clip at a time."""

    name: str
    data: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Walk:
    """The people of one clip, picture by picture."""

    stamps: Sequence[Stamp]
    tracks: Sequence[Tracks]


def find_gathering_sets(data_dir: Path) -> list[GatheringSet]:
    """Give the sets in `data_dir`, by folder."""
    return [
        GatheringSet(
            short_name(table.parent.name).removesuffix("_gatherings"), table.parent.name, table.parent
        )
        for table in sorted(data_dir.glob("*/gatherings.csv"))
        if (table.parent / "tracks").is_dir()
    ]


def read_clips(folder: Path, params: GatheringParams) -> list[Clip]:
    """Give the clips of a set with their true gatherings. Raises ConfigError."""
    try:
        truth = _table(folder / "gatherings.csv")
        return [
            Clip(
                name=row["clip"],
                kind=row["kind"],
                date=row["date"],
                length_s=float(row["nominal_s"]),
                events=[
                    event
                    for one in truth
                    if one["clip"] == row["clip"]
                    for event in _events(one, params)
                ],
            )
            for row in _table(folder / "clips.csv")
        ]  # fmt: skip
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            "the labels cannot be read", where=str(folder), wanted="clips.csv, gatherings.csv", got=str(error)
        ) from error


def _events(row: Mapping[str, str], params: GatheringParams) -> Iterator[Event]:
    """Give the event of one row: from the first stretch with enough people for long enough to the last."""
    spans = [tuple(int(n) * FRAME_S for n in span.split("-")) for span in row["ge4_spans"].split()]
    if not spans:
        return
    longest = max(end - start for start, end in spans)
    long_enough = [span for span in spans if span[1] - span[0] >= params.hold_s] or spans
    if longest >= EXCUSED_S:
        yield Event(
            clip=row["clip"],
            start_s=long_enough[0][0],
            end_s=spans[-1][1],
            members=frozenset(int(one) for one in row["member_ids"].split()),
            counts=row["label"] == "gathering",
        )


def read_walk(folder: Path, clip: Clip) -> Walk:
    """Give the people of a clip, judged FPS times a second; one id for one person. Raises ConfigError."""
    try:
        persons = {
            int(row["track_id"]): int(row["identity"])
            for row in _table(folder / "identities.csv")
            if row["clip"] == clip.name
        }
        with gzip.open(folder / "tracks" / f"{clip.name}.csv.gz", "rt", newline="") as file:
            rows = [
                (
                    int(row["frame"]),
                    persons[int(row["track_id"])],
                    *(int(row[k]) for k in ("x1", "y1", "x2", "y2")),
                )
                for row in csv.DictReader(file)
                if row["class"] == "person" and int(row["frame"]) % EVERY == 0
            ]
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            "the tracks cannot be read", where=f"{folder.name}/{clip.name}", got=str(error)
        ) from error
    return _walk(clip, {(frame, person): box for frame, person, *box in rows})


def _walk(clip: Clip, boxes: Mapping[tuple[int, int], Sequence[int]]) -> Walk:
    table = np.array([(frame, person, *box) for (frame, person), box in sorted(boxes.items())], np.float64)
    table = table.reshape(-1, 6)
    out = table[:, 5].max(initial=0) > SIZES[0][1] + OUTSIDE_PX
    width, height = SIZES[int(out)]
    stamps, tracks = [], []
    places: dict[int, list[tuple[float, float, float]]] = {}  # person -> t, x, y of the last LOOK_BACK_S
    born: dict[int, float] = {}
    for index in range(round(clip.length_s * FPS)):
        t = index / FPS
        now = table[table[:, 0] == index * EVERY]
        ids: I64 = now[:, 1].astype(np.int64)
        there: F32 = now[:, 2:].astype(np.float32)
        feet = feet_of(there, width, height)
        speeds = [
            _speed(places, person, t, spot) for person, spot in zip(ids.tolist(), feet.tolist(), strict=True)
        ]
        for person in ids.tolist():
            born.setdefault(person, t)
        stamps.append(Stamp(clip.name, 0, index, t, START + timedelta(seconds=t), width, height))
        tracks.append(
            Tracks(
                ids=ids,
                boxes=there,
                velocity=np.array(speeds, np.float32).reshape(-1, 2),
                scores=np.ones(len(ids), np.float32),
                kinds=np.full(len(ids), Kind.PERSON, np.int64),
                born_t=np.array([born[person] for person in ids.tolist()], np.float64),
                seen_t=np.full(len(ids), t),
            )
        )
    return Walk(stamps, tracks)


def _speed(
    places: dict[int, list[tuple[float, float, float]]], person: int, t: float, spot: Sequence[float]
) -> tuple[float, float]:
    """Give the velocity (px/s) of a person who is at `spot` now; remember it."""
    known = [place for place in places.get(person, []) if t - place[0] <= LOOK_BACK_S + 1e-6]
    places[person] = [*known, (t, spot[0], spot[1])]
    if not known:
        return 0.0, 0.0
    then, x, y = known[0]
    return (spot[0] - x) / (t - then), (spot[1] - y) / (t - then)


class HeadCount:
    """The baseline: so many people in view for so long, whoever and wherever they are."""

    name = "head_count"
    version = 1
    zone = ""
    ended = "dispersed"
    links_bh: tuple[float, ...] = ()

    def __init__(self, params: GatheringParams) -> None:
        self._min_people = params.min_people
        self.timing = Timing(hold_s=params.hold_s, gap_s=params.gap_s, close_s=params.close_s)
        self.params: Mapping[str, Fact] = {"min_people": params.min_people}

    def reset(self) -> None:
        """Remembers nothing."""

    def step(self, view: View) -> list[Finding]:
        """Give one finding if there are enough people."""
        ids = tuple(view.obs.tracks.ids.tolist())
        if len(ids) < self._min_people:
            return []
        score = min(1.0, len(ids) / (2 * self._min_people))
        facts: dict[str, Fact] = {"n_people": len(ids)}
        return [Finding(self.name, "view", "", ids, score, Severity.MEDIUM, facts, (0.0, 0.0, 1.0, 1.0))]

    def severity(self, finding: Finding, dwell_s: float) -> Severity:
        """Grade all alike."""
        del dwell_s
        return finding.severity

    def summary(self, history: History, phase: Phase) -> Summary:
        """Tell how long it lasted."""
        del phase
        score = min(1.0, history.median("n_people") / (2 * self._min_people))
        return Summary({"dwell_s": history.dwell_s}, (), score, "")


def judge(clip: Clip, walk: Walk, rules: Sequence[Rule]) -> dict[str, list[Call]]:
    """Give what each rule calls in a clip, by its name, in the order of telling."""
    scene = Scene(clip.name, _RUN, rules)
    alerts: list[Alert] = []
    for stamp, tracks in zip(walk.stamps, walk.tracks, strict=True):
        alerts += scene.follow(stamp, tracks).alerts
    alerts += scene.end("source ended")
    return {
        rule.name: calls_of(clip.name, [alert for alert in alerts if alert.rule == rule.name])
        for rule in rules
    }


def calls_of(clip: str, alerts: Sequence[Alert]) -> list[Call]:
    """Give one call per alert; its end is the last moment at which the rule held."""
    calls = []
    for opened in alerts:
        if opened.phase is not Phase.OPENED:
            continue
        phases = [alert for alert in alerts if alert.alert_id == opened.alert_id]
        dwell = phases[-1].facts["dwell_s"]
        assert isinstance(dwell, float)
        calls.append(
            Call(
                clip=clip,
                start_s=opened.started_t,
                end_s=opened.started_t + dwell,
                told_s=opened.t,
                score=opened.score,
                members=frozenset(one for alert in phases for one in alert.track_ids),
            )
        )
    return calls


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
