"""Hand-off: hands meet and part, and a thing that one of two people held is now held by the other.

Skeletons alone do not tell: a fist bump looks like a hand-over whose thing is too small to see. So how hands
went only says when to look, and things in hands decide. One decision for each touch, `settle_s` after the hands
have parted; one that is not sure waits until `UNSURE_S`, since whose a carried thing is shows late.

    A  a thing was in one's hand before and is in the other's after,        an alert
       or it was carried by the one and is by the other
    B  a thing was seen on one side only: held before, or held after        an alert of lower severity
    C  no thing seen, or one that lay on something in between               never an alert; counted, for review

Gates, before any evidence: hands that stay together long (a handshake, holding hands), trunks over one another
(a hug), people smaller than `min_px`, hands that meet over a counter (`counters`, zones), the network's word
below `min_probability`. The interval told is the physical moment and a second on either side (MEVA, person_transfers_object).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from detector.errors import check_range
from detector.handoff_baseline import Touch, TouchParams, touches
from detector.hands import Evidence, Held, carried_by, points_of, seen_in_hands, weigh
from detector.pairs import Pair, PairSight
from detector.persons import Persons
from detector.rules.base import AT_ONCE_S, History, Summary, Timing, View
from detector.rules.plain import PlainRule, around, name_of
from detector.skeletons import SHOULDERS, WRISTS, arm_length, middle, wrist_gaps
from detector.types import F32, F64, Fact, Finding, Observation, Phase, Series, Severity
from detector.zones import Zone

NAME = "handoff"
EXCHANGE = "exchange"  # among the activities that the network tells
_JUST_S = 1e-6
LEAST_PX = 70.0  # of a person in the picture: below it a wrist is off by more than a tenth of a body
KEEP_S = 8.0  # of a pair's past
LATE_S = 1.5  # a touch that ended longer ago is not decided any more
UNSURE_S = 0.8  # without a thing that surely changed hands a touch is decided this late
RIVALS = 2  # other activities that are plotted beside the exchange
LEAST_RIVAL = 0.15  # that the network held possible


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffParams:
    """When a touch of hands is a hand-off. Raises ConfigError naming the field."""

    min_probability: float = 0.5  # 0-1, the network's word; more: fewer handshakes, fewer hand-offs
    min_px: float = LEAST_PX  # of a person in the picture; more: fewer decisions, surer ones
    longest_s: float = 2.0  # s; hands that stay together longer pass nothing
    settle_s: float = 0.4  # s after hands parted until it is decided; more: surer who holds it, later
    repeat_s: float = 30.0  # s in which the same pair is not told again
    min_score: float = 0.2  # of a thing's detection; more: fewer things taken for others
    counters: str = ""  # names of zones, with commas, over which things change hands all day

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
    n_unsure: int = 0  # pairs, picture by picture, of whom it could not be told who is who
    n_touches: int = 0  # touches decided on
    n_counter: int = 0  # of them over a counter
    n_possible: int = 0  # touches that went as a hand-off does, without a thing (C)


@dataclass(slots=True)
class _Record:
    """A pair's past."""

    times: deque[float] = field(default_factory=deque)
    skeletons: deque[F32] = field(default_factory=deque)
    sights: deque[PairSight] = field(default_factory=deque)
    held: deque[Held] = field(default_factory=deque)
    decided_t: float = -np.inf

    def add(self, t: float, sight: PairSight, held: Iterable[Held]) -> None:
        """Take one picture and forget what is over."""
        self.times.append(t)
        self.skeletons.append(sight.skeletons)
        self.sights.append(sight)
        self.held.extend(held)
        while self.times[0] < t - KEEP_S:
            self.times.popleft()
            self.skeletons.popleft()
            self.sights.popleft()
        while self.held and self.held[0].t < t - KEEP_S:
            self.held.popleft()

    def probability(self, activity: str) -> F32:
        """The network's word over time (n,), NaN where it was not asked."""
        return np.array([sight.activities.get(activity, np.nan) for sight in self.sights], np.float32)


@dataclass(frozen=True, slots=True)
class _Course:
    """How hands went, in arm lengths."""

    times: F64
    gaps: F32  # (n,) nearest wrists, NaN where not seen
    spots: F32  # (n, 2) px between them
    found: list[Touch]


class Handoff(PlainRule):
    """The rule "handoff" in one zone (None: the whole picture)."""

    name = NAME
    ended = "over"

    def __init__(
        self,
        params: HandoffParams = HandoffParams(),
        zone: Zone | None = None,
        counters: tuple[Zone, ...] = (),
    ) -> None:
        """`counters`: the zones that `params` names."""
        # A hand-off is over when it is told: the alert opens at its one hit, and stays so that it is told once.
        timing = Timing(hold_s=AT_ONCE_S, gap_s=AT_ONCE_S / 2, close_s=params.repeat_s)
        super().__init__(timing, asdict(params), name_of(zone))
        self._p, self._zone, self._counters = params, zone, counters
        self._touch = TouchParams(longest_s=params.longest_s)
        self.counts = HandoffCounts()
        self.reset()

    def reset(self) -> None:
        """Forget all pairs."""
        self._records: dict[tuple[int, int], _Record] = {}
        self._persons = Persons()

    def step(self, view: View) -> list[Finding]:
        """Give one finding for each hand-off that is decided in this picture."""
        obs, t = view.obs, view.obs.stamp.t
        persons = self._persons.step(obs)
        self._records = {ids: one for ids, one in self._records.items() if one.times[-1] >= t - KEEP_S}
        findings = []
        for sight in view.pairs:
            if sight.pair.body_px < self._p.min_px:
                self.counts.n_too_small += 1
                continue
            self.counts.n_unsure += sight.unsure
            record = self._records.setdefault(sight.pair.track_ids, _Record())
            record.add(t, sight, self._held(obs, sight))
            finding = self._decide(obs, sight.pair, record)
            if finding is not None:
                first, second = sorted(persons[row] for row in sight.pair.rows)
                findings.append(replace(finding, key=f"pair-{first}-{second}"))
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
        late_s = np.inf if touch is None or touch.began_t <= record.decided_t else t - touch.ended_t
        if touch is None or not self._p.settle_s - _JUST_S <= late_s <= LATE_S:
            return None
        evidence = weigh(record.held, touch)
        if evidence.grade != "A" and late_s < max(UNSURE_S, self._p.settle_s) - _JUST_S:
            return None
        record.decided_t = t
        self.counts.n_touches += 1
        chance = self._chance(record, touch)
        if touch.score <= 0 or chance < self._p.min_probability or not self._in_zone(obs, pair):
            return None
        at_counter = self._at_counter(obs, course, touch)
        self.counts.n_counter += at_counter
        self.counts.n_possible += evidence.grade == "C" and not at_counter
        if at_counter or evidence.grade == "C":
            return None
        return self._finding(obs, pair, (touch, course, record), (evidence, chance))

    def _chance(self, record: _Record, touch: Touch) -> float:
        """The network's word about a touch; without a network that of the state machine."""
        told = record.probability(EXCHANGE)[np.array(record.times) >= touch.nearest_t]
        told = told[np.isfinite(told)]
        return float(told.max()) if len(told) else touch.score

    def _at_counter(self, obs: Observation, course: _Course, touch: Touch) -> bool:
        """Whether hands met over a counter."""
        spot = course.spots[course.times == touch.nearest_t]
        size = obs.stamp.width, obs.stamp.height
        return any(bool(zone.contains(spot, *size).any()) for zone in self._counters)

    def _in_zone(self, obs: Observation, pair: Pair) -> bool:
        if self._zone is None:
            return True
        feet = obs.feet[list(pair.rows)]
        return bool(self._zone.contains(feet, obs.stamp.width, obs.stamp.height).all())

    def _held(self, obs: Observation, sight: PairSight) -> Iterator[Held]:
        """What is in whose hand now, and whose the carried things are."""
        t, boxes = obs.stamp.t, obs.tracks.boxes[list(sight.pair.rows)]
        yield from seen_in_hands(
            t, sight.skeletons, boxes, obs.objects[obs.objects.scores >= self._p.min_score]
        )
        yield from carried_by(t, sight.pair, obs.things)

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
            series=self._curves(course, record, evidence),
        )

    def _curves(self, course: _Course, record: _Record, evidence: Evidence) -> tuple[Series, ...]:
        """How it came to it: hands, the network's word and what else it held possible, who had the thing."""
        rivals = {name for sight in record.sights for name in sight.activities} - {EXCHANGE, "none"}
        peaks = sorted((-float(np.nanmax(record.probability(name))), name) for name in rivals)
        shown = [name for peak, name in peaks if -peak >= LEAST_RIVAL][:RIVALS]
        limit, times = self._p.min_probability, course.times
        held = [one for one in record.held if one.kind == evidence.kind and one.thing is None]
        who = np.array([one.whose + 1 for one in held], np.float32)
        return (
            _series("wrists_al", "arm lengths", self._touch.near_al, (times, course.gaps)),
            _series(EXCHANGE, "1", limit, (times, record.probability(EXCHANGE))),
            *(_series(name, "1", None, (times, record.probability(name))) for name in shown),
            _series("in_hand_of", "", None, (np.array([one.t for one in held]), who)),
        )


def _course(record: _Record, limits: TouchParams) -> _Course:
    """The distances of a pair's hands, and the touches in them."""
    times = np.array(record.times)
    places = points_of(np.stack(record.skeletons))
    unit = arm_length(places) or np.nan
    between = wrist_gaps(places).reshape(len(times), 4)
    between = np.where(np.isfinite(between), between, np.inf)
    first, second = np.divmod(between.argmin(axis=1), 2)
    rows, wrists = np.arange(len(times)), np.array(WRISTS)
    spots = (places[rows, 0, wrists[first]] + places[rows, 1, wrists[second]]) / 2
    near = between.min(axis=1) / unit
    gaps = np.where(np.isfinite(near), near, np.nan).astype(np.float32)
    trunks = middle(places, SHOULDERS)
    apart = np.linalg.norm(trunks[:, 0] - trunks[:, 1], axis=-1) / unit
    return _Course(times, gaps, spots, touches(times, gaps, apart.astype(np.float32), limits))


def _series(name: str, unit: str, threshold: float | None, points: tuple[F64, F32]) -> Series:
    """What is known of it; moments without a value are left out."""
    times, values = points
    known = np.isfinite(values)
    return Series(name, unit, threshold, tuple(times[known].tolist()), tuple(values[known].tolist()))
