"""Gathering: people who stand close together, stay, and stay themselves. Not a head count.

A finding is a group with at least `min_people` members whose feet are in the zone, of whom `core_people` have
been there for `core_share` of the time: a stream of changing people is no gathering. A group that walks is a
finding of lower severity ("moving group"), unless others take its members' places as it goes (through-flow).
A queue is none either. Groups part and meet, and their keys pass from one to the other: a gathering goes on with
most of its people, whatever group they are in.

    severity   low: moving    medium: standing    + one step: large    + one step: long
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from detector.calibration import BODY_M
from detector.errors import ConfigError, check_range
from detector.groups import Group
from detector.rules.base import History, Summary, Timing, View, one_up
from detector.rules.queueing import Queues
from detector.types import I64, Fact, Finding, Phase, Severity
from detector.zones import Zone

_CALMER = 1.36  # a moving group counts as standing again below max_speed / this, so that it does not flicker
_FLOW = 1.4  # a moving group of so many times the people that are there at once is people passing through
_N_LOOKS = 40  # looks at who was there, spread over the hold time


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheringParams:
    """When people together are a gathering. Raises ConfigError naming the field."""

    min_people: int = 4  # 2-20 members in the zone; more: fewer, larger gatherings
    hold_s: float = 20.0  # s they must stay before an alert; more: fewer alerts, later
    gap_s: float = 2.0  # s they may be fewer without starting anew; more: forgives more missed detections
    close_s: float = 40.0  # s after the last hit until the alert closes; more: fewer repeats, later ends
    link_bh: float = 1.0  # body heights (1.8 m if calibrated) between neighbours; more: looser groups
    max_speed_bh_s: float = 0.3  # body heights a second of the group's middle; above: "moving group"
    core_people: int = 3  # members who must have been there most of the time (at most min_people count)
    core_share: float = 0.5  # of the last hold_s; more: less change of members allowed
    large_factor: float = 2.0  # this many times min_people is one severity step more; more: fewer high alerts
    long_s: float = 300.0  # s; lasting this long is one severity step more; more: fewer high alerts

    def __post_init__(self) -> None:
        check_range("min_people", self.min_people, 2, 20)
        Timing(hold_s=self.hold_s, gap_s=self.gap_s, close_s=self.close_s)
        check_range("link_bh", self.link_bh, 0.2, 5.0)
        check_range("max_speed_bh_s", self.max_speed_bh_s, 0.0, 5.0, above=True)
        check_range("core_people", self.core_people, 1, 20)
        check_range("core_share", self.core_share, 0.0, 1.0)
        check_range("large_factor", self.large_factor, 1.0, 10.0, above=True)
        check_range("long_s", self.long_s, 0.0, 86_400.0, above=True)
        for name in ("min_people", "core_people"):
            if not isinstance(getattr(self, name), int):
                raise ConfigError(
                    "not a whole number",
                    where=name,
                    wanted="a count of people",
                    got=repr(getattr(self, name)),
                )


@dataclass(slots=True)
class _Watch:
    """One gathering, or what may become one: who was there, look by look."""

    key: str
    group: str  # the key of the group that it was last
    hit_t: float
    moving: bool
    looks: deque[tuple[float, tuple[int, ...], frozenset[int]]]  # when; the people; these and their track ids


@dataclass(frozen=True, slots=True)
class _Crowd:
    """A group with enough people in the zone."""

    group: Group
    rows: I64  # of those in the zone
    people: tuple[int, ...]
    names: frozenset[int]  # the people and their track ids


class Gathering:
    """The rule "gathering" in one zone (None: the whole picture)."""

    name = "gathering"
    version = 3
    ended = "dispersed"

    def __init__(self, params: GatheringParams = GatheringParams(), zone: Zone | None = None) -> None:
        self._p = params
        self._zone = zone
        self.zone = "" if zone is None else zone.name
        self.timing = Timing(hold_s=params.hold_s, gap_s=params.gap_s, close_s=params.close_s)
        self.params: Mapping[str, Fact] = asdict(params)
        self.links_bh: tuple[float, ...] = (params.link_bh,)
        self._queues = Queues()
        self._n_watches = 0
        self.reset()

    def reset(self) -> None:
        """Forget who was there."""
        self._watches: list[_Watch] = []
        self._queues.reset()

    def step(self, view: View) -> list[Finding]:
        """Give one finding per group that is a gathering now."""
        t = view.obs.stamp.t
        self._watches = [watch for watch in self._watches if t - watch.hit_t <= self._p.close_s]
        self._queues.step(view.obs)
        findings = []
        for crowd, watch in self._followed(self._crowds(view), t):
            self._look(watch, crowd, t)
            if self._stays(watch) and not self._queues.has(crowd.group, view.obs):
                findings.append(self._finding(view, crowd, watch))
        return findings

    def _crowds(self, view: View) -> list[_Crowd]:
        """Give the groups with enough people in the zone."""
        crowds = []
        for group in view.groups[self._p.link_bh]:
            inside = np.ones(len(group.rows), np.bool_)
            if self._zone is not None:
                stamp = view.obs.stamp
                inside = self._zone.contains(view.obs.feet[group.rows], stamp.width, stamp.height)
            if np.count_nonzero(inside) >= self._p.min_people:
                rows = group.rows[inside]
                people = tuple(
                    person for person, here in zip(group.people, inside.tolist(), strict=True) if here
                )
                names = frozenset(people).union(view.obs.tracks.ids[rows].tolist())
                crowds.append(_Crowd(group, rows, people, names))
        return crowds

    def _followed(self, crowds: Sequence[_Crowd], t: float) -> list[tuple[_Crowd, _Watch]]:
        """Give each crowd its watch: one of which it has most people, or which it has most of, else a new one."""
        pairs = []
        for age, watch in enumerate(self._watches):
            known = frozenset().union(*(names for _, _, names in watch.looks))
            for crowd in crowds:
                own, common = watch.group == crowd.group.key, len(known & crowd.names)
                of_last = len(watch.looks[-1][2] & crowd.names)
                if own or 2 * common > len(crowd.names) or 2 * of_last > len(watch.looks[-1][2]):
                    pairs.append(((-common, not own, age), crowd, watch))
        taken: dict[str, _Watch] = {}  # by group
        used = set()
        for (_, _, age), crowd, watch in sorted(pairs, key=lambda pair: pair[0]):
            if age not in used and crowd.group.key not in taken:
                used.add(age)
                taken[crowd.group.key] = watch
        for crowd in crowds:
            if crowd.group.key not in taken:
                self._n_watches += 1
                watch = _Watch(f"gathering-{self._n_watches}", "", t, False, deque(maxlen=_N_LOOKS + 1))
                self._watches.append(watch)
                taken[crowd.group.key] = watch
        return [(crowd, taken[crowd.group.key]) for crowd in crowds]

    def severity(self, finding: Finding, dwell_s: float) -> Severity:
        """Give the finding's severity, one step higher once it has lasted `long_s`."""
        return one_up(finding.severity) if dwell_s >= self._p.long_s else finding.severity

    def summary(self, history: History, phase: Phase) -> Summary:
        """Tell the gathering so far."""
        n_usual = int(history.median("n_people"))
        spread, speed = history.median("spread_bh"), history.median("speed_bh_s")
        moving = bool(history.median("moving") if phase is Phase.CLOSED else history.latest("moving"))
        facts: dict[str, Fact] = {
            "n_people_min": int(history.least("n_people")),
            "n_people_median": n_usual,
            "n_people_max": int(history.most("n_people")),
            "spread_bh": spread,
            "dwell_s": history.dwell_s,
            "n_id_changes": int(history.most("n_id_changes") - history.least("n_id_changes")),
            "speed_bh_s": speed,
            "moving": moving,
        }
        spoken = f"spread {spread:.1f} body heights"
        pace = f"speed {speed:.1f} body heights a second, " if moving else ""
        if history.knows("spread_m"):
            spread_m, speed_m_s = history.median("spread_m"), history.median("speed_m_s")
            facts |= {"spread_m": spread_m, "speed_m_s": speed_m_s}
            spoken = f"spread {spread_m:.1f} m"
            pace = f"speed {speed_m_s:.1f} m/s, " if moving else ""
        n = {
            Phase.OPENED: f"{n_usual} people have {'moved' if moving else 'stood'}",
            Phase.UPDATED: f"{int(history.latest('n_people'))} people have {'moved' if moving else 'stood'}",
            Phase.CLOSED: f"Up to {facts['n_people_max']} people {'moved' if moving else 'stood'}",
        }[phase]
        where = f"in {self.zone!r}" if self.zone else "in view"
        return Summary(
            facts=facts,
            series=(
                history.series("n_people", "people", float(self._p.min_people)),
                history.series("spread_bh", "body heights", self._p.link_bh),
                history.series("speed_bh_s", "body heights/s", self._p.max_speed_bh_s),
            ),
            score=min(1.0, n_usual / (2 * self._p.min_people)) * (0.5 if moving else 1.0),
            reason=(
                f"{n} together {where} for {history.dwell_s:.0f} s (at least {self._p.min_people} for "
                f"{self._p.hold_s:g} s); {pace}{spoken}"
            ),
        )

    def _look(self, watch: _Watch, crowd: _Crowd, t: float) -> None:
        """Note who is there and whether they walk."""
        limit = self._p.max_speed_bh_s
        watch.moving = crowd.group.speed_bh_s > (limit / _CALMER if watch.moving else limit)
        watch.group, watch.hit_t = crowd.group.key, t
        if not watch.looks or t - watch.looks[-1][0] >= self._p.hold_s / _N_LOOKS:
            watch.looks.append((t, crowd.people, crowd.names))
        while t - watch.looks[0][0] > self._p.hold_s:
            watch.looks.popleft()

    def _stays(self, watch: _Watch) -> bool:
        """Say whether enough people were there in at least `core_share` of the looks, and are no through-flow."""
        seen: dict[int, int] = {}
        for _, people, _ in watch.looks:
            for person in people:
                seen[person] = seen.get(person, 0) + 1
        n_looks = len(watch.looks)
        if watch.moving and len(seen) > _FLOW * sum(seen.values()) / n_looks:
            return False
        n_core = sum(n >= self._p.core_share * n_looks for n in seen.values())
        return n_core >= min(self._p.core_people, self._p.min_people)

    def _finding(self, view: View, crowd: _Crowd, watch: _Watch) -> Finding:
        group, rows, moving = crowd.group, crowd.rows, watch.moving
        boxes = view.obs.tracks.boxes[rows]
        n = len(rows)
        severity = Severity.LOW if moving else Severity.MEDIUM
        if n >= self._p.large_factor * self._p.min_people:
            severity = one_up(severity)
        low, high = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
        return Finding(
            rule=self.name,
            key=watch.key,
            zone=self.zone,
            track_ids=tuple(view.obs.tracks.ids[rows].tolist()),
            score=min(1.0, n / (2 * self._p.min_people)) * (0.5 if moving else 1.0),
            severity=severity,
            facts={
                "n_people": n,
                "spread_bh": group.spread_bh,
                "speed_bh_s": group.speed_bh_s,
                "n_id_changes": group.n_id_changes,
                "moving": moving,
            }
            | _metric(view, group),
            box=(low[0], low[1], high[0], high[1]),
        )


def _metric(view: View, group: Group) -> dict[str, Fact]:
    """Give the same in metres, where they are known."""
    if view.obs.ground is None:
        return {}
    return {"spread_m": group.spread_bh * BODY_M, "speed_m_s": group.speed_bh_s * BODY_M}
