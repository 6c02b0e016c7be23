"""The rules a camera can have: for each its parameters, where it looks, how one is made and read. New ones go here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from api.schemas_configuration import RuleKind
from detector.errors import ConfigError
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
from detector.schedule import Schedule
from detector.types import Severity
from detector.zones import Zone
from streams.checked import meant, named, one_of, params_of

_JUST_S = 1e-6
_TERMS = tuple(f.name for f in fields(Terms))  # keys that every rule can have

_Place = TypeVar("_Place", Zone, Line)


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of rule."""

    params: type[Any]  # its own Params
    make: Callable[[Any, Zone | None, Any], Rule]  # of its Params, its zone, and its line where it needs one
    in_zone: bool = True  # it can look at a zone
    at_line: bool = False  # it needs a line
    past_counters: bool = False  # it can leave out zones where things change hands all day


RULES: Mapping[str, Entry] = {
    "gathering": Entry(GatheringParams, lambda params, zone, _: Gathering(params, zone)),
    "loitering": Entry(LoiteringParams, lambda params, zone, _: Loitering(params, zone)),
    "occupancy": Entry(OccupancyParams, lambda params, zone, _: Occupancy(params, zone)),
    "forbidden": Entry(ForbiddenParams, lambda params, zone, _: Forbidden(params, zone)),
    "running": Entry(RunningParams, lambda params, zone, _: Running(params, zone)),
    "wrong_way": Entry(WrongWayParams, WrongWay, at_line=True),
    "left_behind": Entry(LeftBehindParams, lambda params, zone, _: LeftBehind(params, zone)),
    "handoff": Entry(HandoffParams, lambda params, zone, _: Handoff(params, zone), past_counters=True),
    "crossing": Entry(
        CrossingParams, lambda params, _, line: Crossing(params, line), in_zone=False, at_line=True
    ),
}


def kinds() -> list[RuleKind]:
    """The rules and their parameters as they are when nothing is chosen, for who edits them."""
    return [
        RuleKind(
            rule=name,
            in_zone=entry.in_zone,
            at_line=entry.at_line,
            params={one.name: one.default for one in fields(entry.params)},
        )
        for name, entry in RULES.items()
    ]


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """A rule in force on a camera."""

    rule: str
    zone: Zone | None  # None: the whole picture
    line: Line | None  # of the rules that need one
    params: Any  # of the rule's own type
    terms: Terms = field(default_factory=Terms)
    timezone: str = ""  # the camera's, where the terms depend on the clock
    counters: tuple[Zone, ...] = ()  # of the rules that can leave some out

    @property
    def same_place(self) -> tuple[object, ...]:
        """What two rules of a camera may not both have."""
        return self.rule, self.zone, self.line, self.terms.active, self.terms.shadow

    def build(self) -> Rule:
        """A new rule with no memory."""
        rule = RULES[self.rule].make(self.params, self.zone, self.line)
        if self.counters:
            rule = Handoff(self.params, self.zone, self.counters)
        if self.terms == Terms():
            return rule
        return Scheduled(rule, self.terms, ZoneInfo(self.timezone or "UTC"))


@dataclass(frozen=True, slots=True)
class Setting:
    """What a rule of a camera can refer to."""

    zones: Mapping[str, Zone]
    lines: Mapping[str, Line]
    timezone: str
    analyse_fps: float


def choice_of(raw: Mapping[str, object], camera: Setting) -> RuleChoice:
    """A `[[cameras.rules]]` table. Raises ConfigError with keys relative to it."""
    name = raw.get("rule")
    if not isinstance(name, str) or name not in RULES:
        raise ConfigError(
            "no such rule", where="rule", wanted=one_of(RULES), got=repr(name), todo=meant(str(name), RULES)
        )
    entry = RULES[name]
    zone = _place(raw, "zone", camera.zones) if entry.in_zone else None
    line = _place(raw, "line", camera.lines) if entry.at_line else None
    if entry.at_line and line is None:
        raise ConfigError("missing", where="line", wanted=f"a [[cameras.lines]] table for {name}")
    about = (
        {"rule", *_TERMS} | ({"zone"} if entry.in_zone else set()) | ({"line"} if entry.at_line else set())
    )
    params = params_of(entry.params, {key: raw[key] for key in raw if key not in about})
    terms = Terms(
        active=_schedule(raw, "active"),
        raised=_schedule(raw, "raised"),
        severity=_severity(raw.get("severity")),
        shadow=_flag(raw, "shadow"),
    )
    counters = _counters(params.counters, camera.zones) if entry.past_counters else ()
    timezone = camera.timezone if terms.timed else ""
    choice = RuleChoice(name, zone, line, params, terms, timezone, counters)
    timing, period_s = choice.build().timing, 1.0 / camera.analyse_fps
    if timing.gap_s < period_s - _JUST_S and not timing.at_once:
        raise ConfigError(
            "shorter than the time between two pictures",
            where="gap_s",
            wanted=f"at least {period_s:.3g} (analyse_fps is {camera.analyse_fps:g})",
            got=f"{timing.gap_s:g}",
        )
    return choice


def _place(raw: Mapping[str, object], key: str, places: Mapping[str, _Place]) -> _Place | None:
    """The zone or line that a rule names; None where it names none."""
    name = raw.get(key, "")
    if not isinstance(name, str) or (name and name not in places):
        raise ConfigError(
            f"no such {key} on this camera",
            where=key,
            wanted=one_of(places) if places else f"a [[cameras.{key}s]] table of that name",
            got=repr(name),
            todo=meant(str(name), places),
        )
    return places.get(name)


def _counters(names: str, zones: Mapping[str, Zone]) -> tuple[Zone, ...]:
    """The zones that a rule calls counters: their names, with commas between them."""
    with named("counters"):
        found = [_place({"zone": name.strip()}, "zone", zones) for name in names.split(",")]
    return tuple(zone for zone in found if zone is not None)


def _schedule(raw: Mapping[str, object], key: str) -> Schedule | None:
    with named(key):
        if key not in raw:
            return None
        texts = raw[key]
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ConfigError("not a list of texts", wanted='like ["Mon-Fri 18:00-06:00"]', got=repr(texts))
        return Schedule(tuple(texts))


def _flag(raw: Mapping[str, object], key: str) -> bool:
    told = raw.get(key, False)
    if not isinstance(told, bool):
        raise ConfigError("not true or false", where=key, got=repr(told))
    return told


def _severity(raw: object) -> Severity | None:
    if raw is None or (isinstance(raw, str) and raw in set(Severity)):
        return None if raw is None else Severity(raw)
    raise ConfigError("no such severity", where="severity", wanted=one_of(Severity), got=repr(raw))
