"""From table rows to the wire shapes of alerts. No statement is executed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, select

from api.db import tables as tb
from api.schemas import AlertOut, HoldOut, MediaKind, MediaOut, MediaState, PhaseOut, VerdictOut
from detector.types import Phase

PHASE_RANK = {Phase.OPENED: 0, Phase.UPDATED: 1, Phase.CLOSED: 2}
PENDING = MediaOut(state=MediaState.PENDING, reason="", bytes=0, start_t=None, duration_s=None)

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


def alert_out(row: Row, media: Sequence[Row]) -> AlertOut:
    """One alert as lists show it, from a row of `alerts_select` and its rows of evidence."""
    given = {name: row[name] for name in AlertOut.model_fields if name not in ("verdict", "hold", "media")}
    found = {MediaKind(m["kind"]): media_out(m) for m in media}
    return AlertOut(
        **given,
        verdict=_verdict(row, "verdict_") if row["verdict_verdict"] is not None else None,
        hold=HoldOut(by=row["held_by"], at=row["held_at"]) if row["held_at"] is not None else None,
        media={kind: found.get(kind, PENDING) for kind in MediaKind},
    )


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
