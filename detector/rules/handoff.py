"""Hand-off: hands meet and part, and a thing that one of two people held is now held by the other.

Skeletons alone do not tell: a fist bump looks like a hand-over whose thing is too small to see. So how hands
went only says when to look, and things in hands decide. One decision for each touch, `settle_s` after the hands
have parted.

    A  a thing was in one's hand before and is in the other's after         an alert
    B  a thing was seen on one side only: held before, or held after        an alert of lower severity
    C  no thing seen, or one that lay on something in between               never an alert; counted, for review

Gates, before any evidence: hands that stay together long (a handshake, holding hands), trunks over one another
(a hug), people smaller than `min_px`, the network's word below `min_probability`. A counter is kept out by the
rule's zone. The interval told is the physical moment and a second on either side (MEVA, person_transfers_object).
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field

import numpy as np

from detector.errors import check_range
from detector.handoff_baseline import Touch, TouchParams, touches
from detector.pairs import Pair, PairSight
from detector.rules.base import AT_ONCE_S, History, Summary, Timing, View
from detector.rules.plain import PlainRule, around, name_of
from detector.skeletons import MIN_SEEN, SHOULDERS, WRISTS, arm_length, middle, wrist_gaps
from detector.types import F32, F64, Fact, Finding, Kind, Observation, Phase, Series, Severity
from detector.zones import Zone

NAME = "handoff"
LEAST_PX = 70.0  # of a person in the picture: below it a wrist is off by more than a tenth of a body
KEEP_S = 8.0  # of a pair's past
LATE_S = 1.5  # a touch that ended longer ago is not decided any more
HELD_AL = 0.35  # arm lengths from a wrist to a thing that the hand holds
LOOSE_AL = 0.8  # and from every wrist to one that lies somewhere
CLEARER_AL = 0.15  # by how much nearer to one's hand than to the other's
BEFORE_S = 2.0  # before hands met: who held what
SIGHTS = 2  # of a thing in a hand that make it held
_LOOSE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffParams:
    """When a touch of hands is a hand-off. Raises ConfigError naming the field."""

    min_probability: float = 0.5  # 0-1, the network's word; more: fewer handshakes, fewer hand-offs
    min_px: float = LEAST_PX  # of a person in the picture; more: fewer decisions, surer ones
    longest_s: float = 2.0  # s; hands that stay together longer pass nothing
    settle_s: float = 0.4  # s after hands parted until it is decided; more: surer who holds it, later
    repeat_s: float = 30.0  # s in which the same pair is not told again
    min_score: float = 0.2  # of a thing's detection; more: fewer things taken for others

    def __post_init__(self) -> None:
        check_range("min_probability", self.min_probability, 0.0, 1.0)
        check_range("min_px", self.min_px, LEAST_PX, 1000.0)
        check_range("longest_s", self.longest_s, 0.2, 10.0)
        check_range("settle_s", self.settle_s, 0.0, 1.0)
        check_range("repeat_s", self.repeat_s, 1.0, 3600.0)
        check_range("min_score", self.min_score, 0.0, 1.0)


@dataclass(slots=True)
class HandoffCounts:
    """What was looked at and came to nothing. Plain numbers: other threads may read them."""

    n_too_small: int = 0  # pairs, picture by picture, too small for wrists
    n_possible: int = 0  # touches that went as a hand-off does, without a thing (C)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What happened to a thing."""

    grade: str  # "A", "B", "C"
    thing: str  # "" if none was seen
    giver: int | None  # 0, 1: of the pair; None: not known
    rested: bool = False  # it lay on something in between


@dataclass(slots=True)
class _Record:
    """A pair's past."""

    times: deque[float] = field(default_factory=deque)
    skeletons: deque[F32] = field(default_factory=deque)
    chances: deque[float] = field(default_factory=deque)  # the network's word, NaN without one
    held: deque[tuple[float, int, int]] = field(default_factory=deque)  # t, kind, whose hand or _LOOSE
    decided_t: float = -np.inf

    def add(self, t: float, sight: PairSight, held: list[tuple[int, int]]) -> None:
        """Take one picture and forget what is over."""
        self.times.append(t)
        self.skeletons.append(sight.skeletons)
        self.chances.append(np.nan if sight.exchange is None else sight.exchange)
        self.held.extend((t, kind, whose) for kind, whose in held)
        while self.times[0] < t - KEEP_S:
            self.times.popleft()
            self.skeletons.popleft()
            self.chances.popleft()
        while self.held and self.held[0][0] < t - KEEP_S:
            self.held.popleft()


@dataclass(frozen=True, slots=True)
class _Course:
    """How hands went, in arm lengths."""

    times: F64
    gaps: F32  # (n,) nearest wrists, NaN where not seen
    found: list[Touch]


class Handoff(PlainRule):
    """The rule "handoff" in one zone (None: the whole picture)."""

    name = NAME
    ended = "over"

    def __init__(self, params: HandoffParams = HandoffParams(), zone: Zone | None = None) -> None:
        # A hand-off is over when it is told: the alert opens at its one hit, and stays so that it is told once.
        timing = Timing(hold_s=AT_ONCE_S, gap_s=AT_ONCE_S / 2, close_s=params.repeat_s)
        super().__init__(timing, asdict(params), name_of(zone))
        self._p, self._zone = params, zone
        self._touch = TouchParams(longest_s=params.longest_s)
        self.counts = HandoffCounts()
        self.reset()

    def reset(self) -> None:
        """Forget all pairs."""
        self._records: dict[tuple[int, int], _Record] = {}

    def step(self, view: View) -> list[Finding]:
        """Give one finding for each hand-off that is decided in this picture."""
        obs, t = view.obs, view.obs.stamp.t
        self._records = {ids: one for ids, one in self._records.items() if one.times[-1] >= t - KEEP_S}
        findings = []
        for sight in view.pairs:
            if sight.pair.body_px < self._p.min_px:
                self.counts.n_too_small += 1
                continue
            record = self._records.setdefault(sight.pair.track_ids, _Record())
            record.add(t, sight, self._held(obs, sight))
            finding = self._decide(obs, sight.pair, record)
            if finding is not None:
                findings.append(finding)
        return findings

    def summary(self, history: History, phase: Phase) -> Summary:
        """Tell it."""
        del phase
        told = history.last
        assert told is not None
        thing = told.facts["object"] or "thing that is too small to name"
        sure = told.facts["evidence"] == "A"
        how = (
            "went from one person's hand to the other's"
            if sure
            else "was seen on one side of a hand-over only"
        )
        return Summary(
            facts=told.facts,
            series=told.series,
            score=told.score,
            reason=f"A {thing} {how} {self.place()}: hands met for {told.facts['touch_s']:.1f} s and parted, "
            f"nearest {told.facts['nearest_al']:.2f} arm lengths",
        )

    def _decide(self, obs: Observation, pair: Pair, record: _Record) -> Finding | None:
        """Decide about the last touch once, when its time has come."""
        t = obs.stamp.t
        course = _course(record, self._touch)
        touch = next((one for one in reversed(course.found) if one.parted), None)
        if touch is None or touch.began_t <= record.decided_t:
            return None
        if not self._p.settle_s - 1e-6 <= t - touch.ended_t <= LATE_S:
            return None
        record.decided_t = t
        chance = self._chance(record, touch)
        if touch.score <= 0 or chance < self._p.min_probability or not self._in_zone(obs, pair):
            return None
        evidence = weigh(record.held, touch)
        if evidence.grade == "C":
            self.counts.n_possible += 1
            return None
        return self._finding(obs, pair, (touch, course, record), (evidence, chance))

    def _chance(self, record: _Record, touch: Touch) -> float:
        """The network's word about a touch; without a network that of the state machine."""
        after = [c for at, c in zip(record.times, record.chances, strict=True) if at >= touch.nearest_t]
        told = [chance for chance in after if np.isfinite(chance)]
        return max(told) if told else touch.score

    def _in_zone(self, obs: Observation, pair: Pair) -> bool:
        if self._zone is None:
            return True
        feet = obs.feet[list(pair.rows)]
        return bool(self._zone.contains(feet, obs.stamp.width, obs.stamp.height).all())

    def _held(self, obs: Observation, sight: PairSight) -> list[tuple[int, int]]:
        """Which things are in whose hand now, or lie loose near the pair: kind, 0 | 1 | _LOOSE."""
        places = _places(sight.skeletons[None])[0]
        unit = arm_length(places)
        wrists = places[:, WRISTS]  # (2, 2, 2)
        if unit <= 0 or not np.isfinite(wrists).any():
            return []
        low, high = (edge(obs.tracks.boxes[list(sight.pair.rows)], axis=0) for edge in (np.min, np.max))
        held = []
        for box, kind, score in zip(obs.objects.boxes, obs.objects.kinds, obs.objects.scores, strict=True):
            middle_x, middle_y = (box[:2] + box[2:]) / 2
            if score < self._p.min_score or not (
                low[0] <= middle_x <= high[2] and low[1] <= middle_y <= high[3]
            ):
                continue
            beyond = np.maximum(np.maximum(box[:2] - wrists, wrists - box[2:]), 0)
            away = np.nan_to_num(np.linalg.norm(beyond, axis=-1) / unit, nan=np.inf).min(axis=1)
            nearest = int(away.argmin())
            if away[nearest] <= HELD_AL and away[1 - nearest] - away[nearest] >= CLEARER_AL:
                held.append((int(kind), nearest))
            elif away[nearest] >= LOOSE_AL:
                held.append((int(kind), _LOOSE))
        return held

    def _finding(
        self, obs: Observation, pair: Pair, went: tuple[Touch, _Course, _Record], told: tuple[Evidence, float]
    ) -> Finding:
        (touch, course, record), (evidence, chance) = went, told
        sure = evidence.grade == "A"
        facts: dict[str, Fact] = {
            "evidence": evidence.grade,
            "object": evidence.thing,
            "exchange_t": touch.nearest_t,
            "from_t": touch.nearest_t - 1.0,
            "to_t": touch.nearest_t + 1.0,
            "touch_s": touch.ended_t - touch.began_t,
            "nearest_al": touch.nearest_al,
            "probability": chance,
            "decided_after_s": obs.stamp.t - touch.ended_t,
        }
        if evidence.giver is not None:
            facts["giver"] = pair.track_ids[evidence.giver]
            facts["taker"] = pair.track_ids[1 - evidence.giver]
        return Finding(
            rule=self.name,
            key=f"pair-{pair.track_ids[0]}-{pair.track_ids[1]}",
            zone=self.zone,
            track_ids=pair.track_ids,
            score=chance if sure else chance * 0.6,
            severity=Severity.MEDIUM if sure else Severity.LOW,
            facts=facts,
            box=around(obs.tracks.boxes[list(pair.rows)]),
            series=(
                _series("wrists_al", "arm lengths", self._touch.near_al, (course.times, course.gaps)),
                _series(
                    "exchange",
                    "1",
                    self._p.min_probability,
                    (course.times, np.array(record.chances, np.float32)),
                ),
            ),
        )


def weigh(held: deque[tuple[float, int, int]], touch: Touch) -> Evidence:
    """Give the best that the sights of things say of one touch."""
    best = Evidence("C", "", None)
    for kind in dict.fromkeys(kind for _, kind, _ in held):
        sights = [(t, whose) for t, one, whose in held if one == kind]
        before = [whose for t, whose in sights if touch.began_t - BEFORE_S <= t <= touch.nearest_t]
        after = [whose for t, whose in sights if t > touch.nearest_t]
        rested = sum(whose == _LOOSE for t, whose in sights if touch.began_t <= t <= touch.ended_t) >= SIGHTS
        name = Kind(kind).name.lower()
        had = [before.count(person) >= SIGHTS for person in (0, 1)]
        has = [after.count(person) >= SIGHTS for person in (0, 1)]
        for giver in (0, 1):
            taker = 1 - giver
            if rested:
                grade = "C"
            elif had[giver] and has[taker] and not had[taker] and not has[giver]:
                grade = "A"
            elif (had[giver] and not any(has) and not had[taker]) or (
                has[taker] and not any(had) and not has[giver]
            ):
                grade = "B"
            else:
                continue
            if grade < best.grade or (grade == "C" and not best.thing):
                best = Evidence(grade, name, giver if grade != "C" else None, rested)
    return best


def _course(record: _Record, limits: TouchParams) -> _Course:
    """The distances of a pair's hands, and the touches in them."""
    times = np.array(record.times)
    places = _places(np.stack(record.skeletons))
    unit = arm_length(places) or np.nan
    near = wrist_gaps(places).reshape(len(times), 4)
    near = np.where(np.isfinite(near), near, np.inf).min(axis=1) / unit
    gaps = np.where(np.isfinite(near), near, np.nan).astype(np.float32)
    trunks = middle(places, SHOULDERS)
    apart = np.linalg.norm(trunks[:, 0] - trunks[:, 1], axis=-1) / unit
    return _Course(times, gaps, touches(times, gaps, apart.astype(np.float32), limits))


def _places(skeletons: F32) -> F32:
    """Points (n, 2, 17, 2) of skeletons (n, 2, 17, 3), NaN where not seen."""
    return np.where(skeletons[..., 2:] >= MIN_SEEN, skeletons[..., :2], np.float32(np.nan))


def _series(name: str, unit: str, threshold: float, points: tuple[F64, F32]) -> Series:
    """What is known of it; moments without a value are left out."""
    times, values = points
    known = np.isfinite(values)
    return Series(name, unit, threshold, tuple(times[known].tolist()), tuple(values[known].tolist()))
