"""The wire contract of what a camera looks at: zones, lines, masks and rules, made in the console, judged by the worker.

Imports pydantic, detector.types and api.schemas only. Corners are 0-1 of the upright picture.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.schemas import Fact, Line, Name, Point, ShortText, Slug, Utc, Wire
from detector.types import Severity

Version = Annotated[int, Field(ge=0, lt=2**31)]  # 0: the worker's site file alone
Times = Annotated[list[Annotated[str, Field(max_length=100)]], Field(default_factory=list, max_length=50)]


class AreaTable(Wire):
    """A zone or a mask."""

    name: Name
    polygon: Annotated[list[Point], Field(max_length=65)]  # detector.zones says what else it must be


class LineTable(Wire):
    """A line, from its first point to its second."""

    name: Name
    points: tuple[Point, Point]


class RuleTable(Wire):
    """A rule with what was chosen for it; its parameters are judged by the worker's own rulebook."""

    rule: Slug
    zone: Annotated[str, Field(max_length=100)] = ""  # "": the whole picture
    line: Annotated[str, Field(max_length=100)] = ""
    params: Annotated[dict[Slug, Fact], Field(default_factory=dict, max_length=50)]
    active: Times  # none: always
    raised: Times
    severity: Severity | None = None
    shadow: bool = False  # judged and stored, never put before people


class Configuration(Wire):
    """All that is looked at in one camera's picture."""

    zones: Annotated[list[AreaTable], Field(default_factory=list, max_length=100)]
    lines: Annotated[list[LineTable], Field(default_factory=list, max_length=100)]
    masks: Annotated[list[AreaTable], Field(default_factory=list, max_length=100)]
    rules: Annotated[list[RuleTable], Field(default_factory=list, max_length=100)]


# ---------------------------------------------------------------- between worker and service


class RuleKind(Wire):
    """A rule that a worker knows, with its parameters as they are when nothing is chosen."""

    rule: Slug
    in_zone: bool
    at_line: bool
    params: Annotated[dict[Slug, Fact], Field(max_length=50)]


class InForceIn(Wire):
    """What a worker says of the configuration of a camera."""

    base: Configuration  # what its site file says
    in_force: Configuration
    version: Version  # that is in force; 0: the site file's
    answered: Version  # the newest version it was given
    refused: Line  # why that one is not in force; "" when it is
    rulebook: Annotated[list[RuleKind], Field(max_length=100)]


class OrderOut(Wire):
    """A version that a worker has not answered yet; null: back to its site file."""

    camera_id: Slug
    version: Version
    configuration: Configuration | None


class AskIn(Wire):
    """Which versions a worker has answered, by camera; what is newer is sent."""

    worker_id: Slug
    answered: Annotated[dict[Slug, Version], Field(max_length=1000)]


# ---------------------------------------------------------------- between console and service


class ConfigurationIn(Wire):
    """A new version, made from `based_on`; null: back to the site file."""

    based_on: Version
    configuration: Configuration | None
    note: ShortText = ""


class VersionOut(Wire):
    """One version; `configuration` null: the site file."""

    version: Version
    configuration: Configuration | None
    note: str
    by: str
    at: Utc


class ConfigurationOut(Wire):
    """How the configuration of a camera stands; `worker` is null until a worker has told of it."""

    camera_id: str
    version: Version  # the newest made here; 0: none was
    worker: InForceIn | None
    versions: list[VersionOut]  # newest first, the last 20
