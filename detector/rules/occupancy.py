"""Occupancy: at least so many people in a zone at once, whoever they are and whether or not they are together.

`min_people` = 1 makes the zone a forbidden one; that is the rule "forbidden", which is more urgent and says so.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from detector.errors import ConfigError, check_range
from detector.rules.base import History, Summary, Timing, View
from detector.rules.plain import PlainRule, finding_of, inside, name_of, summary_of
from detector.types import Finding, Phase, Severity
from detector.zones import Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class OccupancyParams:
    """When a zone holds too many. Raises ConfigError naming the field."""

    min_people: int = 10  # 1-500 at once; more: fewer alerts
    hold_s: float = 10.0  # s they must be so many before an alert; more: fewer alerts, later
    gap_s: float = 2.0  # s they may be fewer without starting anew; more: forgives more missed detections
    close_s: float = 30.0  # s after the last hit until the alert closes; more: fewer repeats, later ends

    def __post_init__(self) -> None:
        if not isinstance(self.min_people, int):
            raise ConfigError(
                "not a whole number",
                where="min_people",
                wanted="a count of people",
                got=repr(self.min_people),
            )
        check_range("min_people", self.min_people, 1, 500)
        Timing(hold_s=self.hold_s, gap_s=self.gap_s, close_s=self.close_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForbiddenParams:
    """When somebody is where nobody may be. Raises ConfigError naming the field."""

    hold_s: float = 2.0  # s somebody must be inside before an alert; more: fewer alerts, later
    gap_s: float = 1.0  # s nobody may be seen without starting anew; more: forgives more missed detections
    close_s: float = 30.0  # s after the last hit until the alert closes; more: fewer repeats, later ends

    def __post_init__(self) -> None:
        Timing(hold_s=self.hold_s, gap_s=self.gap_s, close_s=self.close_s)


class Occupancy(PlainRule):
    """The rule "occupancy" in one zone (None: the whole picture)."""

    name = "occupancy"
    ended = "fewer people"
    grade = Severity.MEDIUM

    def __init__(
        self, params: OccupancyParams | ForbiddenParams = OccupancyParams(), zone: Zone | None = None
    ) -> None:
        timing = Timing(hold_s=params.hold_s, gap_s=params.gap_s, close_s=params.close_s)
        super().__init__(timing, asdict(params), name_of(zone))
        self._zone = zone
        self._min_people = params.min_people if isinstance(params, OccupancyParams) else 1

    def reset(self) -> None:
        """Nothing is remembered."""

    def step(self, view: View) -> list[Finding]:
        """Give one finding while they are enough."""
        rows = np.flatnonzero(inside(self._zone, view.obs))
        if len(rows) < self._min_people:
            return []
        return [finding_of(self, view.obs, "zone", rows, (self.grade, {"n_people": len(rows)}))]

    def summary(self, history: History, phase: Phase) -> Summary:
        """Tell it so far."""
        facts = {
            "n_people_min": int(history.least("n_people")),
            "n_people_median": int(history.median("n_people")),
            "n_people_max": int(history.most("n_people")),
        }
        limits = {"n_people": ("people", float(self._min_people))}
        return summary_of(history, facts, limits, self._reason(history, phase, facts["n_people_max"]))

    def _reason(self, history: History, phase: Phase, most: int) -> str:
        verb = "were" if phase is Phase.CLOSED else "have been"
        return (
            f"Up to {most} people {verb} {self.place()} at once for {history.dwell_s:.0f} s "
            f"(at least {self._min_people} for {self.timing.hold_s:g} s)"
        )


class Forbidden(Occupancy):
    """The rule "forbidden": anyone in the zone (None: the whole picture)."""

    name = "forbidden"
    ended = "left"
    grade = Severity.HIGH

    def __init__(self, params: ForbiddenParams = ForbiddenParams(), zone: Zone | None = None) -> None:
        super().__init__(params, zone)

    def _reason(self, history: History, phase: Phase, most: int) -> str:
        n = "One person" if most == 1 else f"Up to {most} people"
        verb = (
            ("was" if most == 1 else "were")
            if phase is Phase.CLOSED
            else "has been"
            if most == 1
            else "have been"
        )
        return (
            f"{n} {verb} {self.place()}, where nobody may be, for {history.dwell_s:.0f} s "
            f"(at least {self.timing.hold_s:g} s)"
        )
