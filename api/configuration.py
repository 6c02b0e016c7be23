"""What is wrong with a configuration before any worker sees it: places and the names by which rules call them. Pure.

Parameters of rules are left to the worker, whose rulebook may be another version's.
"""

from __future__ import annotations

from collections.abc import Iterable

from api.schemas_configuration import AreaTable, Configuration
from detector.errors import ConfigError
from detector.lines import Line
from detector.zones import Zone


def check(told: Configuration) -> None:
    """Raise ConfigError for a place that is none, a name that is taken, a rule on a place that is not there."""
    zones, lines = _areas(told.zones, "zone"), set[str]()
    _areas(told.masks, "mask")
    for line in told.lines:
        Line(line.name, line.points)
        if line.name in lines | zones:
            raise _taken("line", line.name)
        lines.add(line.name)
    for number, rule in enumerate(told.rules, start=1):
        for what, name, known in (("zone", rule.zone, zones), ("line", rule.line, lines)):
            if name and name not in known:
                raise ConfigError(
                    f"no such {what} on this camera",
                    where=f"rule {number}, {rule.rule}",
                    wanted=", ".join(sorted(known)) or f"a {what} of that name",
                    got=repr(name),
                )


def _areas(areas: Iterable[AreaTable], what: str) -> set[str]:
    names: set[str] = set()
    for area in areas:
        Zone(area.name, tuple(area.polygon))
        if area.name in names:
            raise _taken(what, area.name)
        names.add(area.name)
    return names


def _taken(what: str, name: str) -> ConfigError:
    return ConfigError("this name is taken", where=what, wanted="a name of its own", got=repr(name))
