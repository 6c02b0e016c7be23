"""The wire contract of trying rules on the tracks of the past. Imports pydantic, detector.types and api.schemas only."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from api.schemas import Line, Name, Slug, Utc, Verdict, Wire
from api.schemas_configuration import Configuration, OrderOut
from detector.types import Severity

LONGEST_H = 48
MOST_ALERTS, MOST_SPANS = 500, 1000  # in one answer


class WhatIfIn(Wire):
    """A configuration to try, and on which hours."""

    configuration: Configuration
    since: Utc
    until: Utc

    @model_validator(mode="after")
    def _a_span(self) -> Self:
        if not 0 < (self.until - self.since).total_seconds() <= LONGEST_H * 3600:
            raise ValueError(f"until: wanted after since, and at most {LONGEST_H} hours after it")
        return self


class WhatIfOrder(WhatIfIn):
    """The same, for the worker that has the tracks."""

    what_if_id: UUID
    camera_id: Slug


class Would(Wire):
    """An alert that there would have been."""

    rule: Slug
    zone: Annotated[str, Field(max_length=100)]
    severity: Severity
    started_at: Utc
    opened_at: Utc
    ended_at: Utc | None  # null: it goes on after the span
    reason: Line
    shadow: bool = False


class WhatIfAnswer(Wire):
    """What the worker found."""

    problem: Line  # "" unless nothing could be tried
    judged_until: Utc | None  # before the end of the span when it took too long; null: nothing was judged
    n_pictures: int
    covered: Annotated[list[tuple[Utc, Utc]], Field(max_length=MOST_SPANS)]  # times of which tracks are kept
    took_s: float
    left_out: Annotated[list[Slug], Field(max_length=100)]  # rules that tracks alone cannot answer
    alerts: Annotated[list[Would], Field(max_length=MOST_ALERTS)]


class OrdersOut(Wire):
    """What a worker is asked to do."""

    configurations: list[OrderOut]
    what_ifs: list[WhatIfOrder]


class Past(Wire):
    """An alert that there was."""

    alert_id: UUID
    rule: str
    zone: str
    severity: Severity
    started_at: Utc
    opened_at: Utc
    verdict: Verdict | None
    reason: str
    shadow: bool = False


class Fate(StrEnum):
    """What would have become of an alert."""

    STAYS = "stays"
    VANISHES = "vanishes"
    APPEARS = "appears"


class WhatIfLine(Wire):
    """One alert: that there was, that there would have been, or both."""

    fate: Fate
    past: Past | None
    would: Would | None


class WhatIfOut(Wire):
    """How the past alerts compare with those of the tried configuration, oldest first."""

    camera_id: Name
    since: Utc
    judged_until: Utc | None
    n_pictures: int
    covered_s: float  # of which tracks are kept
    n_not_covered: int  # past alerts that opened at other times, and are not compared
    took_s: float
    left_out: list[str]
    lines: list[WhatIfLine]
