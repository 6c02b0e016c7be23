"""Which alerts are stored without being put before people. Off unless the settings say otherwise.

Cooldown: an alert of the same incident (camera, rule, zone) as one that was shown within that time, and not more
severe than it. Budget: an alert of low severity when the desk was shown as many in the last hour as it can take;
medium and high ones come all the same. Nothing that escalates stays hidden: when the severity of a suppressed
alert rises it is shown. What a silent rule tells is never shown and counts for neither. Every one is stored whole,
listed on request and counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db import tables as tb
from api.db.intake import Batch
from api.schemas import AlertIn, Suppression
from detector.types import Phase, Severity

HOUR = timedelta(hours=1)
_RANK = {Severity.LOW.value: 0, Severity.MEDIUM.value: 1, Severity.HIGH.value: 2}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a desk is shown."""

    cooldown: timedelta = timedelta(0)
    budget: int | None = None  # alerts an hour; None: any number


async def suppress(
    connection: AsyncConnection, batch: Batch, before: Mapping[UUID, str], limits: Limits, now: datetime
) -> list[UUID]:
    """Mark the new rows of a batch that are not shown; returns the alerts that rose and are shown from now on.

    `before`: the severities as they were.
    """
    risen = []
    for alert_id, row in batch.known.items():
        if (
            row["suppressed"] not in (None, Suppression.SHADOW.value)
            and _RANK[row["severity"]] > _RANK[before[alert_id]]
        ):
            row |= {"suppressed": None, "suppressed_by": None}
            risen.append(alert_id)
    left = None
    if limits.budget is not None and batch.new:
        left = limits.budget - await n_received(connection, now - HOUR)
    shown: list[dict[str, Any]] = []
    for row in batch.new.values():
        if row["suppressed"] == Suppression.SHADOW.value:
            continue
        repeats = await _shown_before(connection, row, shown, limits.cooldown)
        if repeats is not None:
            row |= {"suppressed": Suppression.COOLDOWN.value, "suppressed_by": repeats}
        elif left is not None and left <= 0 and row["severity"] == Severity.LOW.value:
            row["suppressed"] = Suppression.BUDGET.value
        else:
            shown.append(row)
            left = None if left is None else left - 1
    return risen


async def unsent(connection: AsyncConnection, risen: list[UUID]) -> list[AlertIn]:
    """How these alerts were opened: whoever is told of alerts has not heard of them yet."""
    opened = tb.alert_phases.c.phase == Phase.OPENED.value
    query = select(tb.alert_phases.c.body).where(tb.alert_phases.c.alert_id.in_(risen), opened)
    return [AlertIn.model_validate_json(body) for body in (await connection.execute(query)).scalars()]


async def n_received(connection: AsyncConnection, since: datetime) -> int:
    """How many alerts were shown to the desk since then."""
    recent = tb.alerts.c.received_at > since
    query = select(func.count()).select_from(tb.alerts).where(recent, tb.alerts.c.suppressed.is_(None))
    return int((await connection.execute(query)).scalar_one())


async def _shown_before(
    connection: AsyncConnection, row: Mapping[str, Any], beside: list[dict[str, Any]], cooldown: timedelta
) -> UUID | None:
    """The alert that this one repeats: of the same incident, shown, and at least as severe."""
    if not cooldown:
        return None
    at, rank = row["opened_at"], _RANK[row["severity"]]
    same = [tb.alerts.c[name] == row[name] for name in ("camera_id", "rule", "zone")]
    query = select(tb.alerts.c.alert_id, tb.alerts.c.severity).where(
        *same, tb.alerts.c.opened_at.between(at - cooldown, at), tb.alerts.c.suppressed.is_(None)
    )
    found = [
        (one.alert_id, one.severity)
        for one in await connection.execute(query.order_by(tb.alerts.c.opened_at.desc()))
    ]
    found += [
        (one["alert_id"], one["severity"])
        for one in beside
        if all(one[name] == row[name] for name in ("camera_id", "rule", "zone"))
        and at - cooldown <= one["opened_at"] <= at
    ]
    return next((alert_id for alert_id, severity in found if _RANK[severity] >= rank), None)
