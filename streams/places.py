"""What is looked at in a camera's picture: zones, lines, masks and rules. Read alike from the site file and from the console."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import Field

from api.schemas import Name
from api.schemas_configuration import AreaTable, Configuration, LineTable, RuleTable
from detector.errors import ConfigError
from detector.lines import Line
from detector.zones import Zone
from streams.checked import Section, named
from streams.rulebook import RuleChoice, Setting, choice_of

Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


class ZoneSection(Section):
    """`[[cameras.zones]]`, `[[cameras.masks]]`; detector.zones.Zone checks the corners."""

    name: Name
    polygon: list[Pair]


class LineSection(Section):
    """`[[cameras.lines]]`; detector.lines.Line checks the points."""

    name: Name
    points: Annotated[list[Pair], Field(min_length=2, max_length=2)]


class PlacesSection(Section):
    """The part of a camera's table that can be drawn and chosen in the console too."""

    zones: list[ZoneSection] = Field(default_factory=list, max_length=100)
    lines: list[LineSection] = Field(default_factory=list, max_length=100)
    rules: list[dict[str, object]] = Field(default_factory=list, max_length=100)
    masks: list[ZoneSection] = Field(default_factory=list, max_length=100)


@dataclass(frozen=True, slots=True)
class Places:
    """The same, checked."""

    zones: tuple[Zone, ...]
    lines: tuple[Line, ...]
    masks: tuple[Zone, ...]
    rules: tuple[RuleChoice, ...]


def places_of(told: PlacesSection, at: str, timezone: str, analyse_fps: float) -> Places:
    """Check the tables of a camera with this time zone and rate. `at`: where they stand. Raises ConfigError."""
    zones, masks = _zones(told.zones, f"{at}.zones"), _zones(told.masks, f"{at}.masks")
    lines = _lines(told.lines, f"{at}.lines", zones)
    setting = Setting(zones, lines, timezone, analyse_fps)
    choices: list[RuleChoice] = []
    for i, raw in enumerate(told.rules):
        with named(f"{at}.rules[{i}]"):
            choice = choice_of(raw, setting)
            if choice.same_place in {other.same_place for other in choices}:
                raise ConfigError(
                    "the same rule twice in one place",
                    wanted="one of each rule for a zone, a line and a time",
                )
            choices.append(choice)
    return Places(tuple(zones.values()), tuple(lines.values()), tuple(masks.values()), tuple(choices))


def tables_of(configuration: Configuration) -> dict[str, Any]:
    """What the console made, as the tables of a site file."""
    told = configuration.model_dump(mode="json", exclude={"rules"})
    told["rules"] = [_rule_table(rule) for rule in configuration.rules]
    return told


def configuration_of(places: Places) -> Configuration:
    """What is looked at, as the console edits it."""
    return Configuration(
        zones=[AreaTable(name=zone.name, polygon=list(zone.polygon)) for zone in places.zones],
        lines=[LineTable(name=line.name, points=line.points) for line in places.lines],
        masks=[AreaTable(name=mask.name, polygon=list(mask.polygon)) for mask in places.masks],
        rules=[_told(choice) for choice in places.rules],
    )


def _rule_table(rule: RuleTable) -> dict[str, object]:
    told = rule.model_dump(mode="json", exclude={"params"}, exclude_defaults=True)
    return {**rule.params, **told, "rule": rule.rule}


def _told(choice: RuleChoice) -> RuleTable:
    terms = choice.terms
    return RuleTable(
        rule=choice.rule,
        zone="" if choice.zone is None else choice.zone.name,
        line="" if choice.line is None else choice.line.name,
        params=asdict(choice.params),
        active=[] if terms.active is None else list(terms.active.texts),
        raised=[] if terms.raised is None else list(terms.raised.texts),
        severity=terms.severity,
        shadow=terms.shadow,
    )


def _zones(tables: Iterable[ZoneSection], at: str) -> dict[str, Zone]:
    zones: dict[str, Zone] = {}
    for i, table in enumerate(tables):
        with named(f"{at}[{i}]"):
            if table.name in zones:
                raise ConfigError("this zone name is taken", wanted="a name of its own", got=repr(table.name))
            zones[table.name] = Zone(table.name, tuple((x, y) for x, y in table.polygon))
    return zones


def _lines(tables: Iterable[LineSection], at: str, zones: Mapping[str, Zone]) -> dict[str, Line]:
    lines: dict[str, Line] = {}
    for i, table in enumerate(tables):
        with named(f"{at}[{i}]"):
            if table.name in lines or table.name in zones:  # an alert tells its place by the name alone
                raise ConfigError(
                    "this name is taken", where="name", wanted="a name of its own", got=repr(table.name)
                )
            (x0, y0), (x1, y1) = table.points
            lines[table.name] = Line(table.name, ((x0, y0), (x1, y1)))
    return lines
