"""From table rows to the wire shapes of alerts. No statement is executed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select

from api.db import tables as tb
from api.schemas import (
    ActionOut,
    AlertOut,
    AlertStatus,
    ClaimOut,
    HoldOut,
    MediaKind,
    MediaOut,
    MediaState,
    PhaseOut,
    SuppressedOut,
    VerdictOut,
)
from detector.types import Phase

PHASE_RANK = {Phase.OPENED: 0, Phase.UPDATED: 1, Phase.CLOSED: 2}
CLAIM_LIFE = timedelta(minutes=10)  # of no activity of its holder
PENDING = MediaOut(state=MediaState.PENDING, reason="", bytes=0, start_t=None, duration_s=None)

_MADE = ("status", "suppressed", "claim", "verdict", "hold", "media")  # not columns as they are

Row = Mapping[Any, Any]


def alerts_select() -> Select[Any]:
    """Alerts with the name of their camera and the verdict that counts."""
    joined = tb.alerts.join(tb.cameras, tb.alerts.c.camera_id == tb.cameras.c.camera_id).outerjoin(
        tb.verdicts, tb.alerts.c.verdict_id == tb.verdicts.c.id
    )
    return select(
        tb.alerts,
        tb.cameras.c.name.label("camera_name"),
        *(tb.verdicts.c[name].label(f"verdict_{name}") for name in ("verdict", "reason", "note", "by", "at")),
    ).select_from(joined)


def alert_out(row: Row, media: Sequence[Row], now: datetime) -> AlertOut:
    """One alert as lists show it at this moment, from a row of `alerts_select` and its rows of evidence."""
    given = {name: row[name] for name in AlertOut.model_fields if name not in _MADE}
    claim = claim_of(row, now)
    open_status = AlertStatus.CLAIMED if claim else AlertStatus.NEW
    found = {MediaKind(m["kind"]): media_out(m) for m in media}
    return AlertOut(
        **given,
        status=open_status if row["verdict_verdict"] is None else AlertStatus.CLOSED,
        claim=claim,
        suppressed=_suppressed(row),
        verdict=_verdict(row, "verdict_") if row["verdict_verdict"] is not None else None,
        hold=HoldOut(by=row["held_by"], at=row["held_at"]) if row["held_at"] is not None else None,
        media={kind: found.get(kind, PENDING) for kind in MediaKind},
    )


def _suppressed(row: Row) -> SuppressedOut | None:
    if row["suppressed"] is None:
        return None
    return SuppressedOut(why=row["suppressed"], by=row["suppressed_by"])


def claim_of(row: Row, now: datetime) -> ClaimOut | None:
    """Who works on an alert now."""
    if row["claimed_by"] is None or now >= row["claim_used_at"] + CLAIM_LIFE:
        return None
    return ClaimOut(by=row["claimed_by"], at=row["claimed_at"], ends_at=row["claim_used_at"] + CLAIM_LIFE)


def action_out(row: Row) -> ActionOut:
    """One thing that a person did."""
    return ActionOut(**{name: row[name] for name in ActionOut.model_fields})


def media_out(row: Row) -> MediaOut:
    """A piece of evidence that came or never will."""
    return MediaOut(**{name: row[name] for name in MediaOut.model_fields})


def phase_out(row: Row) -> PhaseOut:
    """One line of an alert's history."""
    return PhaseOut(**{name: row[name] for name in PhaseOut.model_fields})


def verdict_out(row: Row) -> VerdictOut:
    """A stored verdict."""
    return _verdict(row, "")


def _verdict(row: Row, prefix: str) -> VerdictOut:
    return VerdictOut(**{name: row[prefix + name] for name in VerdictOut.model_fields})
