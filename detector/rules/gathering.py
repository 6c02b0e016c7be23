"""Gathering: people who stand close together, stay, and stay themselves. Not a head count.

A finding is a group with at least `min_people` members whose feet are in the zone, of whom `core_people` have
been there for `core_share` of the time: a stream of changing people is no gathering. A group that walks is a
finding of lower severity ("moving group"), unless others take its members' places as it goes (through-flow).
A queue is none either.

    severity   low: moving    medium: standing    + one step: large    + one step: long
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass

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
    """One group with enough people: who was there, look by look."""

    hit_t: float
    moving: bool
    looks: deque[tuple[float, tuple[int, ...]]]


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
        self.reset()

    def reset(self) -> None:
        """Forget who was there."""
        self._watches: dict[str, _Watch] = {}
        self._queues.reset()

    def step(self, view: View) -> list[Finding]:
        """Give one finding per group that is a gathering now."""
        stamp = view.obs.stamp
        oldest = stamp.t - self._p.gap_s
        self._watches = {key: watch for key, watch in self._watches.items() if watch.hit_t >= oldest}
        self._queues.step(view.obs)
        findings = []
        for group in view.groups[self._p.link_bh]:
            rows = group.rows
            people = group.people
            if self._zone is not None:
                inside = self._zone.contains(view.obs.feet[rows], stamp.width, stamp.height)
                rows = rows[inside]
                people = tuple(person for person, here in zip(people, inside.tolist(), strict=True) if here)
            if len(people) < self._p.min_people:
                continue
            watch = self._look(group, people, stamp.t)
            if self._stays(watch) and not self._queues.has(group, view.obs):
                findings.append(self._finding(view, group, rows, watch.moving))
        return findings

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

    def _look(self, group: Group, people: tuple[int, ...], t: float) -> _Watch:
        """Note who is there and whether they walk."""
        limit = self._p.max_speed_bh_s
        watch = self._watches.get(group.key)
        if watch is None:
            watch = _Watch(t, group.speed_bh_s > limit, deque(maxlen=_N_LOOKS + 1))
            self._watches[group.key] = watch
        watch.hit_t = t
        watch.moving = group.speed_bh_s > (limit / _CALMER if watch.moving else limit)
        if not watch.looks or t - watch.looks[-1][0] >= self._p.hold_s / _N_LOOKS:
            watch.looks.append((t, people))
        while t - watch.looks[0][0] > self._p.hold_s:
            watch.looks.popleft()
        return watch

    def _stays(self, watch: _Watch) -> bool:
        """Say whether enough people were there in at least `core_share` of the looks, and are no through-flow."""
        seen: dict[int, int] = {}
        for _, people in watch.looks:
            for person in people:
                seen[person] = seen.get(person, 0) + 1
        n_looks = len(watch.looks)
        if watch.moving and len(seen) > _FLOW * sum(seen.values()) / n_looks:
            return False
        n_core = sum(n >= self._p.core_share * n_looks for n in seen.values())
        return n_core >= min(self._p.core_people, self._p.min_people)

    def _finding(self, view: View, group: Group, rows: I64, moving: bool) -> Finding:
        boxes = view.obs.tracks.boxes[rows]
        n = len(rows)
        severity = Severity.LOW if moving else Severity.MEDIUM
        if n >= self._p.large_factor * self._p.min_people:
            severity = one_up(severity)
        low, high = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
        return Finding(
            rule=self.name,
            key=group.key,
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
