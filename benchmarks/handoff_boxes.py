"""Hand-offs on labelled boxes: which close pairs hand something over, told by boxes of people and things alone.

    SET_transfers/{clips,events,identities}.csv, SET_transfers/tracks/CLIP.csv.gz

The boxes are those of the labels, judged five times a second where anybody is there. Skeletons there are none, so
what is measured is the proposal of pairs (nearness alone: every encounter of a pair is a call) and, beside it,
that a carried thing changes its owner. Only people and things in an annotated activity have boxes, and only while
it lasts: calls are counted on pairs whose activity is known, and things are where something is done with them, which flatters.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np

from benchmarks.report import Figure
from benchmarks.sequences import START, short_name
from detector.boxes import feet as feet_of
from detector.carried import NOBODY
from detector.errors import ConfigError
from detector.rules.handoff import LEAST_PX, Handoff
from detector.scene import Scene
from detector.types import Detections, Kind, Stamp, Things, Tracks

FRAME_S = 1 / 30  # of the recordings
EVERY = 6  # frames: every second one with boxes
SLACK_S = 1.0  # a call this much before or after a label's span is of it
APART_S = 2.0  # an encounter of a pair ends when it was not close for this long
LATE_S = 3.0  # a thing that nobody owned in between for this long went from one to the other
SIZES = ((1920, 1080), (1080, 1920))
OUTSIDE_PX = 60  # boxes may run so far out of the picture
TRANSFER = "person_transfers_object"
JOINT = {
    TRANSFER: "transfer", "hand_interacts_with_person": "hand_contact", "person_embraces_person": "hug",
    "person_talks_to_person": "talk", "person_purchases": "purchase",
}  # fmt: skip
ALONE = {"person_picks_up_object": "pick_up", "person_puts_down_object": "put_down"}
KINDS = {"bag": Kind.HANDBAG, "other": Kind.CUP}
Pair = tuple[int, int]
Show = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Label:
    """One annotated activity."""

    kind: str
    start_s: float
    end_s: float
    people: frozenset[int]
    with_thing: bool

    def meets(self, pair: Pair, span: tuple[float, float]) -> bool:
        """Whether it is of this pair (or of one of them, of what is done alone) at that time."""
        there = self.people >= set(pair) if self.kind in JOINT.values() else bool(self.people & set(pair))
        return there and self.start_s - SLACK_S <= span[1] and span[0] <= self.end_s + SLACK_S


@dataclass(slots=True)
class Encounter:
    """A pair that is close for a while."""

    pair: Pair
    start_s: float
    end_s: float
    body_px: float = np.inf  # of the smaller, the least
    called: bool = False  # a thing went from one to the other


@dataclass(frozen=True, slots=True)
class _Row:
    """One box."""

    what: str
    identity: int
    box: tuple[int, int, int, int]


@dataclass(slots=True)
class Told:
    """What came of the clips of a set."""

    labels: list[tuple[str, Label]] = field(default_factory=list)  # with the clip
    encounters: list[tuple[str, Encounter]] = field(default_factory=list)
    n_left_out: int = 0


def find_transfer_sets(data: Path) -> list[Path]:
    """The folders of sets."""
    return [folder for folder in sorted(data.glob("*_transfers")) if (folder / "events.csv").is_file()]


def set_name(folder: Path) -> str:
    """How its figures are named."""
    return short_name(folder.name).removesuffix("_transfers")


def transfer_figures(folder: Path, show: Show) -> list[Figure]:
    """Measure a set. Raises ConfigError."""
    told = Told()
    try:
        clips = [row["clip"] for row in _table(folder / "clips.csv")]
        events = _table(folder / "events.csv")
        identities = _table(folder / "identities.csv")
        for done, clip in enumerate(clips):
            told.labels += [(clip, label) for row in events if row["clip"] == clip for label in _labels(row)]
            persons = {
                int(row["track_id"]): int(row["identity"]) for row in identities if row["clip"] == clip
            }
            _follow(folder, clip, persons, told)
            show(done + 1, len(clips))
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError("the labels cannot be read", where=str(folder), got=str(error)) from error
    return list(_figures(set_name(folder), folder.name, told))


def _labels(row: Mapping[str, str]) -> Iterator[Label]:
    kind = (JOINT | ALONE).get(row["activity"])
    if kind is None:
        return
    classes = row["actor_classes"].split()
    people = [
        int(one)
        for one, what in zip(row["actor_identities"].split(), classes, strict=True)
        if what == "person"
    ]
    yield Label(
        kind, int(row["first_frame"]) * FRAME_S, int(row["last_frame"]) * FRAME_S,
        frozenset(people), any(what in KINDS for what in classes),
    )  # fmt: skip


def _follow(folder: Path, clip: str, identity: Mapping[int, int], told: Told) -> None:
    """Run pairs and carried things over a clip and note the encounters."""
    scene = Scene(clip, UUID(int=0), [Handoff()])
    running: dict[Pair, Encounter] = {}
    owned: dict[int, tuple[int, float]] = {}  # thing -> who owned it last, until when
    for stamp, tracks, things in _pictures(folder, clip, identity):
        t = stamp.t
        watched = scene.watch(stamp, tracks, things)
        scene.judge(watched)
        told.n_left_out += watched.proposed.n_left_out
        for pair in watched.proposed.pairs:
            one = running.get(pair.track_ids)
            if one is None or t - one.end_s > APART_S:
                one = running[pair.track_ids] = Encounter(pair.track_ids, t, t)
                told.encounters.append((clip, one))
            one.end_s, one.body_px = t, min(one.body_px, pair.body_px)
        for giver, taker in _transfers(watched.observation.things, owned, t):
            one = running.get((min(giver, taker), max(giver, taker)))
            if one is not None and t - one.end_s <= APART_S:
                one.called = True


def _transfers(things: Things, owned: dict[int, tuple[int, float]], t: float) -> Iterator[Pair]:
    """Who gave what to whom in this picture; `owned` is kept."""
    for thing, owner in zip(things.ids.tolist(), things.owners.tolist(), strict=True):
        before, until_t = owned.get(thing, (NOBODY, t))
        if owner == NOBODY:
            continue
        if before not in (NOBODY, owner) and t - until_t <= LATE_S:
            yield before, owner
        owned[thing] = owner, t


def _pictures(
    folder: Path, clip: str, identity: Mapping[int, int]
) -> Iterator[tuple[Stamp, Tracks, Detections]]:
    by_frame: dict[int, list[_Row]] = {}
    with gzip.open(folder / "tracks" / f"{clip}.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            x0, y0, x1, y1 = (int(row[key]) for key in ("x1", "y1", "x2", "y2"))
            one = _Row(row["class"], identity[int(row["track_id"])], (x0, y0, x1, y1))
            by_frame.setdefault(int(row["frame"]), []).append(one)
    lowest = max((one.box[3] for rows in by_frame.values() for one in rows), default=0)
    size = SIZES[int(lowest > SIZES[0][1] + OUTSIDE_PX)]
    born: dict[int, float] = {}
    last: dict[int, tuple[float, float, float]] = {}
    for index, frame in enumerate(range(0, max(by_frame, default=0) + 1, EVERY)):
        t = frame * FRAME_S
        now = by_frame.get(frame, [])
        if not now:
            continue
        people = {one.identity: one.box for one in now if one.what == "person"}  # one box for one identity
        boxes = np.array(list(people.values()), np.float32).reshape(-1, 4)
        speeds = []
        for person, (x, y) in zip(people, feet_of(boxes, *size).tolist(), strict=True):
            born.setdefault(person, t)
            then, x0, y0 = last.get(person, (t - 1.0, x, y))
            speeds.append(((x - x0) / (t - then), (y - y0) / (t - then)))
            last[person] = t, x, y
        seen = [one for one in now if one.what in KINDS]
        yield (
            Stamp(clip, 0, index, t, START + timedelta(seconds=t), *size),
            Tracks(
                np.array(list(people), np.int64), boxes, np.array(speeds, np.float32).reshape(-1, 2),
                np.ones(len(people), np.float32), np.full(len(people), Kind.PERSON, np.int64),
                np.array([born[person] for person in people]), np.full(len(people), t),
            ),
            Detections(
                np.array([one.box for one in seen], np.float32).reshape(-1, 4), np.full(len(seen), 0.9, np.float32),
                np.array([KINDS[one.what] for one in seen], np.int64),
            ),
        )  # fmt: skip


def _figures(name: str, data: str, told: Told) -> Iterator[Figure]:
    """Recall, precision, and what else was called."""

    def figure(part: str, values: tuple[float | None, float | None], split: str, n: int) -> Figure:
        value, peer = values
        peers = {} if peer is None else {"nearness": peer}
        return Figure(
            name=f"handoff.{name}.{part}", value=value, unit="1", data=data, split=split, n=n, peers=peers
        )

    transfers = [
        (clip, label) for clip, label in told.labels if label.kind == "transfer" and len(label.people) >= 2
    ]
    found = [_encounters_of(told, clip, label) for clip, label in transfers]
    n = len(transfers)
    called = [any(one.called for one in some) for some in found]
    yield figure(
        "recall", (_share(called), _share([bool(some) for some in found])), "things change owners", n
    )
    things = [told_ for told_, (_, label) in zip(called, transfers, strict=True) if label.with_thing]
    yield figure("recall_with_thing", (_share(things), None), "transfers whose thing has a box", len(things))
    kinds = [(_kind(told, clip, one), one) for clip, one in told.encounters]
    known = [(kind, one) for kind, one in kinds if kind]
    ours = [kind == "transfer" for kind, one in known if one.called]
    yield figure(
        "precision", (_share(ours), _share([kind == "transfer" for kind, _ in known])),
        f"encounters whose activity is known, {len(known)} of {len(kinds)}", len(ours),
    )  # fmt: skip
    for kind in dict.fromkeys([*JOINT.values(), *ALONE.values()]):
        some = [one.called for what, one in known if what == kind]
        yield figure(f"called.{kind}", (_share(some), 1.0 if some else None), "encounters", len(some))
    small = [min((one.body_px for one in some), default=np.inf) < LEAST_PX for some in found if some]
    yield figure(
        "too_small_share", (_share(small), None), f"transfers, people under {LEAST_PX:g} px", len(small)
    )


def _encounters_of(told: Told, clip: str, label: Label) -> list[Encounter]:
    return [
        one
        for where, one in told.encounters
        if where == clip and label.meets(one.pair, (one.start_s, one.end_s))
    ]


def _kind(told: Told, clip: str, one: Encounter) -> str:
    """What the labels say of an encounter; "": nothing. A transfer in it makes it one, then what both do."""
    kinds = {
        label.kind
        for where, label in told.labels
        if where == clip and label.meets(one.pair, (one.start_s, one.end_s))
    }
    return next((kind for kind in [*JOINT.values(), *ALONE.values()] if kind in kinds), "")


def _share(said: Sequence[bool]) -> float | None:
    return sum(said) / len(said) if said else None


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
