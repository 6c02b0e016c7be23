"""Figures over many alerts, counted by the database: no row of an alert is read here.

Times are compared and grouped in UTC. Where the two databases have no word in common, `_Words` has both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db import tables as tb
from api.db.session import Database
from api.schemas import Suppression, Verdict
from api.schemas_stats import HourOut, PrecisionOut, ToVerdictOut

_Z95 = 1.959964
_A, _V = tb.alerts.c, tb.verdicts.c
_SILENT = _A.suppressed.is_not_distinct_from(Suppression.SHADOW.value)


@dataclass(slots=True)
class Figures:
    """What was counted."""

    per_hour: list[HourOut] = field(default_factory=list)
    precision: list[PrecisionOut] = field(default_factory=list)
    to_verdict: ToVerdictOut = field(default_factory=lambda: ToVerdictOut(n=0, median_s=None, p90_s=None))


class StatsStore:
    """Counts; changes nothing."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._db, self._clock = database, clock
        self._is_sqlite = database.kind == "sqlite"

    async def figures(self, days: int, cameras: Collection[str] | None) -> Figures:
        """Of the alerts that opened in the last days, on these cameras; None: all. Raises StorageError.

        Those of silent rules count for nothing but their own precision.
        """
        wanted = _A.opened_at >= self._clock() - timedelta(days=days)
        if cameras is not None:
            wanted &= _A.camera_id.in_(list(cameras))
        async with self._db.reading() as connection:
            return Figures(
                await self._per_hour(connection, wanted & ~_SILENT),
                await _precision(connection, wanted),
                await self._to_verdict(connection, wanted & ~_SILENT),
            )

    async def _per_hour(self, connection: AsyncConnection, wanted: ColumnElement[bool]) -> list[HourOut]:
        hour = (
            func.strftime("%Y-%m-%dT%H:00:00", _A.opened_at)
            if self._is_sqlite
            else func.to_char(func.timezone("UTC", _A.opened_at), 'YYYY-MM-DD"T"HH24:00:00')
        )
        query = select(hour.label("hour"), func.count().label("n")).where(wanted)
        rows = await connection.execute(query.group_by("hour").order_by("hour"))
        return [HourOut(hour=datetime.fromisoformat(f"{row.hour}+00:00"), n=row.n) for row in rows]

    async def _to_verdict(self, connection: AsyncConnection, wanted: ColumnElement[bool]) -> ToVerdictOut:
        took: ColumnElement[Any] = (
            (func.julianday(_V.at) - func.julianday(_A.received_at)) * 86_400
            if self._is_sqlite
            else func.extract("epoch", _V.at - _A.received_at)
        )
        joined = tb.alerts.join(tb.verdicts, _A.verdict_id == _V.id)
        place = (func.row_number().over(order_by=took) - 1).label("place")
        times = (
            select(took.label("took"), place, func.count().over().label("n"))
            .select_from(joined)
            .where(wanted)
            .subquery()
        )
        last = times.c.n - 1
        half, nine_tenths = times.c.place == last // 2, times.c.place == last * 9 // 10
        query = select(times.c.took, times.c.n).where(half | nine_tenths).order_by(times.c.place)
        rows = (await connection.execute(query)).all()
        if not rows:
            return ToVerdictOut(n=0, median_s=None, p90_s=None)
        median_s, p90_s = (round(max(0.0, float(row.took)), 3) for row in (rows[0], rows[-1]))
        return ToVerdictOut(n=rows[0].n, median_s=median_s, p90_s=p90_s)


async def _precision(connection: AsyncConnection, wanted: ColumnElement[bool]) -> list[PrecisionOut]:
    joined = tb.alerts.outerjoin(tb.verdicts, _A.verdict_id == _V.id)
    counted = (
        select(_A.camera_id, _A.rule, _SILENT.label("silent"), _V.verdict, func.count().label("n"))
        .select_from(joined)
        .where(wanted)
        .group_by(_A.camera_id, _A.rule, "silent", _V.verdict)
    )
    counts: dict[tuple[str, str, bool], dict[str | None, int]] = {}
    for row in await connection.execute(counted):
        counts.setdefault((row.camera_id, row.rule, bool(row.silent)), {})[row.verdict] = row.n
    names = {
        row.camera_id: row.name
        for row in await connection.execute(select(tb.cameras.c.camera_id, tb.cameras.c.name))
    }
    found = [_line(key, names[key[0]], by_verdict) for key, by_verdict in counts.items()]
    return sorted(found, key=lambda one: (-one.n_alerts, one.camera_id, one.rule, one.shadow))


def _line(key: tuple[str, str, bool], name: str, by_verdict: dict[str | None, int]) -> PrecisionOut:
    n_true, n_false = (by_verdict.get(word.value, 0) for word in (Verdict.TRUE, Verdict.FALSE))
    n = n_true + n_false
    return PrecisionOut(
        camera_id=key[0],
        camera_name=name,
        rule=key[1],
        shadow=key[2],
        n_alerts=sum(by_verdict.values()),
        n_true=n_true,
        n_false=n_false,
        n_unclear=by_verdict.get(Verdict.UNCLEAR.value, 0),
        precision=n_true / n if n else None,
        ci95=wilson(n_true, n) if n else None,
    )


def wilson(k: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share k of n (E. B. Wilson, 1927, J. Am. Stat. Assoc. 22, eq. for the limits)."""
    share, z2 = k / n, _Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return (max(0.0, middle - half), min(1.0, middle + half))
