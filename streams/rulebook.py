"""The rules a camera can have: for each its parameters, where it looks, and how one is made. New ones go here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from detector.lines import Line
from detector.rules.base import Rule
from detector.rules.crossing import Crossing, CrossingParams
from detector.rules.gathering import Gathering, GatheringParams
from detector.rules.handoff import Handoff, HandoffParams
from detector.rules.left_behind import LeftBehind, LeftBehindParams
from detector.rules.loitering import Loitering, LoiteringParams
from detector.rules.occupancy import Forbidden, ForbiddenParams, Occupancy, OccupancyParams
from detector.rules.pace import Running, RunningParams, WrongWay, WrongWayParams
from detector.rules.scheduled import Scheduled, Terms
from detector.zones import Zone


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of rule."""

    params: type[Any]  # its own Params
    make: Callable[[Any, Zone | None, Any], Rule]  # of its Params, its zone, and its line where it needs one
    in_zone: bool = True  # it can look at a zone
    at_line: bool = False  # it needs a line


RULES: Mapping[str, Entry] = {
    "gathering": Entry(GatheringParams, lambda params, zone, _: Gathering(params, zone)),
    "loitering": Entry(LoiteringParams, lambda params, zone, _: Loitering(params, zone)),
    "occupancy": Entry(OccupancyParams, lambda params, zone, _: Occupancy(params, zone)),
    "forbidden": Entry(ForbiddenParams, lambda params, zone, _: Forbidden(params, zone)),
    "running": Entry(RunningParams, lambda params, zone, _: Running(params, zone)),
    "wrong_way": Entry(WrongWayParams, WrongWay, at_line=True),
    "left_behind": Entry(LeftBehindParams, lambda params, zone, _: LeftBehind(params, zone)),
    "handoff": Entry(HandoffParams, lambda params, zone, _: Handoff(params, zone)),
    "crossing": Entry(
        CrossingParams, lambda params, _, line: Crossing(params, line), in_zone=False, at_line=True
    ),
}


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """A rule in force on a camera."""

    rule: str
    zone: Zone | None  # None: the whole picture
    line: Line | None  # of the rules that need one
    params: Any  # of the rule's own type
    terms: Terms = field(default_factory=Terms)
    timezone: str = ""  # the camera's, where the terms depend on the clock

    @property
    def same_place(self) -> tuple[object, ...]:
        """What two rules of a camera may not both have."""
        return self.rule, self.zone, self.line, self.terms.active

    def build(self) -> Rule:
        """A new rule with no memory."""
        rule = RULES[self.rule].make(self.params, self.zone, self.line)
        if self.terms == Terms():
            return rule
        return Scheduled(rule, self.terms, ZoneInfo(self.timezone or "UTC"))
