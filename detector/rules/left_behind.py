"""Left behind: a bag that stays in one place and whose people are gone from it.

A place is the box in which a bag was first seen; whatever bag is detected in about that box is the same one. So
it is followed without a track, and one that is carried off, or is only seen while somebody is near, is none.

    whose it is, was seen   its people are the owner and who was within reach when the owner last was;
                            who comes later attends it only by making it theirs (`carried.py`)
    never seen              whoever is within reach attends it: where people pass all the time nothing is told

Source: "attended by its owner", as in the PETS 2006 benchmark of left luggage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from detector.boxes import feet as feet_of
from detector.boxes import iou
from detector.carried import NOBODY
from detector.errors import check_range
from detector.persons import Persons
from detector.rules.base import History, Summary, Timing, View
from detector.rules.plain import PlainRule, around, name_of, summary_of
from detector.types import F32, Detections, Finding, Kind, Mask, Observation, Phase, Severity
from detector.zones import Zone

BAGS = (Kind.BACKPACK, Kind.HANDBAG, Kind.SUITCASE)
_SAME_IOU = 0.3  # boxes of a bag that lies still overlap by more, also where it is cut by a passer-by
_MAX_PLACES = 200  # bounds the state under noise: no more are begun until some are forgotten


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehindParams:
    """When a bag counts as left. Raises ConfigError naming the field."""

    reach_bh: float = 1.5  # body heights; its people are away when farther; more: fewer alerts, later
    min_score: float = 0.3  # of the detection; more: fewer things taken for bags
    hold_s: float = 30.0  # s alone before an alert; more: fewer alerts, later
    gap_s: float = 5.0  # s unseen or with somebody near that do not start anew; more: forgives more
    close_s: float = 60.0  # s after the last hit until the alert closes; more: fewer repeats, later ends

    def __post_init__(self) -> None:
        check_range("reach_bh", self.reach_bh, 0.1, 20.0)
        check_range("min_score", self.min_score, 0.0, 1.0)
        Timing(hold_s=self.hold_s, gap_s=self.gap_s, close_s=self.close_s)


@dataclass(slots=True)
class _Place:
    """Where a bag lies."""

    key: str
    box: F32  # (4,) as first seen
    seen_t: float
    votes: dict[int, float] = field(default_factory=dict)  # kind -> sum of scores
    owner: int | None = None  # the person whose it was seen to be
    company: frozenset[int] = frozenset()  # persons within reach when the owner last was

    @property
    def kind(self) -> int:
        return max(self.votes, key=self.votes.__getitem__)


class LeftBehind(PlainRule):
    """The rule "left_behind" in one zone (None: the whole picture)."""

    name = "left_behind"
    version = 2
    ended = "taken or fetched"

    def __init__(self, params: LeftBehindParams = LeftBehindParams(), zone: Zone | None = None) -> None:
        timing = Timing(hold_s=params.hold_s, gap_s=params.gap_s, close_s=params.close_s)
        super().__init__(timing, asdict(params), name_of(zone))
        self._p, self._zone = params, zone
        self._n_places = 0
        self._persons = Persons()
        self.reset()

    def reset(self) -> None:
        """Forget all places."""
        self._places: list[_Place] = []
        self._persons.reset()

    def step(self, view: View) -> list[Finding]:
        """Give one finding per bag that is seen without its people."""
        obs, t = view.obs, view.obs.stamp.t
        self._places = [place for place in self._places if t - place.seen_t < self._p.close_s]
        people = self._persons.step(obs)
        bags = self._bags(obs)
        owners = _owners(obs, bags, people)
        near = self._near(obs, bags)
        findings: dict[str, Finding] = {}
        attended: set[str] = set()  # a bag with two names is attended if one of them is
        for row, place in enumerate(self._find(bags, t)):
            if place is None:
                continue
            if _attends(place, owners[row], {people[column] for column in np.flatnonzero(near[row])}):
                attended.add(place.key)
            else:
                findings[place.key] = self._finding(place, bags, row)
        return [finding for key, finding in findings.items() if key not in attended]

    def summary(self, history: History, phase: Phase) -> Summary:
        """Tell it so far."""
        kind = Kind(int(history.latest("kind"))).name.lower()
        verb = "lay" if phase is Phase.CLOSED else "has lain"
        owned = bool(history.latest("owned"))
        who = "its owner not" if owned else "nobody"
        return summary_of(
            history,
            {"object": kind, "owner_seen": owned},
            {"seen_score": ("", self._p.min_score)},
            f"A {kind} {verb} {self.place()} for {history.dwell_s:.0f} s (at least {self._p.hold_s:g} s) with {who} "
            f"within {self._p.reach_bh:g} body heights",
        )

    def _bags(self, obs: Observation) -> Detections:
        """Give the bags whose foot is in the zone, surest first."""
        bags = obs.objects[np.isin(obs.objects.kinds, BAGS) & (obs.objects.scores >= self._p.min_score)]
        if self._zone is not None:
            width, height = obs.stamp.width, obs.stamp.height
            bags = bags[self._zone.contains(feet_of(bags.boxes, width, height), width, height)]
        return bags[np.argsort(-bags.scores, kind="stable")]

    def _find(self, bags: Detections, t: float) -> list[_Place | None]:
        """Give the place of each bag, made where there was none; None when there are too many."""
        found: list[_Place | None] = []
        for box, score, kind in zip(bags.boxes, bags.scores.tolist(), bags.kinds.tolist(), strict=True):
            boxes = np.array([place.box for place in self._places], np.float32).reshape(-1, 4)
            shares = iou(box[None], boxes)[0]
            place = self._places[int(shares.argmax())] if shares.max(initial=0.0) >= _SAME_IOU else None
            if place is None and len(self._places) < _MAX_PLACES:
                self._n_places += 1
                place = _Place(f"object-{self._n_places}", box, t)
                self._places.append(place)
            if place is not None:
                place.seen_t = t
                place.votes[kind] = place.votes.get(kind, 0.0) + score
            found.append(place)
        return found

    def _near(self, obs: Observation, bags: Detections) -> Mask:
        """Say who is within reach of each bag, measured on the ground in their body heights: (bags, people)."""
        feet = feet_of(bags.boxes, obs.stamp.width, obs.stamp.height)
        apart = (feet[:, None, :] - obs.feet[None, :, :]).astype(np.float64)
        near: Mask = np.hypot(apart[..., 0], apart[..., 1] * obs.depth_gain) / obs.body_px <= self._p.reach_bh
        return near

    def _finding(self, place: _Place, bags: Detections, row: int) -> Finding:
        score = float(bags.scores[row])
        return Finding(
            rule=self.name,
            key=place.key,
            zone=self.zone,
            track_ids=() if place.owner is None else (place.owner,),
            score=score,
            severity=Severity.HIGH,
            facts={"kind": place.kind, "seen_score": score, "owned": place.owner is not None},
            box=around(bags.boxes[row : row + 1]),
        )


def _owners(obs: Observation, bags: Detections, people: Sequence[int]) -> list[int | None]:
    """Give the person whose each bag is now, of those who are in the picture."""
    here = dict(zip(obs.tracks.ids.tolist(), people, strict=True))
    things = obs.things[(obs.things.owners != NOBODY) & (obs.things.seen_t >= obs.stamp.t)]
    shares = iou(bags.boxes, things.boxes)
    best = shares.argmax(axis=1) if len(things) else np.zeros(len(bags), np.int64)
    return [
        here.get(int(things.owners[column])) if len(things) and shares[row, column] >= _SAME_IOU else None
        for row, column in enumerate(best.tolist())
    ]


def _attends(place: _Place, owner: int | None, near: set[int]) -> bool:
    """Say whether a bag's people are with it; note who they are. `owner`: whose it is now, near or on them."""
    if owner is not None:
        place.owner, place.company = owner, frozenset({owner, *near})
        return True
    if place.owner is None:
        return bool(near)
    if place.owner in near:
        place.company = frozenset(near)
    return not place.company.isdisjoint(near)
