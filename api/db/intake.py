"""How a phase of an alert changes the alert's row. Pure: rows in, rows out; no query, no clock.

The newest phase is the one with the highest (revision, phase), whatever the order of arrival. `opened_at`
is that of the OPENED phase, or of the earliest phase known while it has not come.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from api.db.rows import PHASE_RANK
from api.schemas import AlertIn, Suppression
from detector.types import Phase


@dataclass(slots=True)
class Batch:
    """The phases that share one commit: what the tables hold, and the rows to write."""

    stored: set[tuple[UUID, str, int]]  # keys of the phases already in the history
    known: dict[UUID, dict[str, Any]]  # alert rows that exist, changed in place
    new: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    phases: list[dict[str, Any]] = field(default_factory=list)

    def changed(self) -> list[UUID]:
        """The alerts to write, in the order in which their first new phase came."""
        return list(dict.fromkeys(row["alert_id"] for row in self.phases))

    def row(self, alert_id: UUID) -> dict[str, Any]:
        """The row of an alert as it will stand."""
        return self.new.get(alert_id) or self.known[alert_id]

    def number(self, first: int) -> None:
        """Give each changed alert its change number, counting from `first`."""
        for change, alert_id in enumerate(self.changed(), start=first):
            if alert_id in self.new:
                self.new[alert_id]["arrival"] = change
            self.row(alert_id)["change"] = change


def fold(batch: Batch, alert: AlertIn, now: datetime) -> bool:
    """Take one phase into the batch; false when it was already stored."""
    key = (alert.alert_id, alert.phase.value, alert.revision)
    if key in batch.stored:
        return False
    batch.stored.add(key)
    batch.phases.append(
        {
            "alert_id": alert.alert_id,
            "phase": alert.phase.value,
            "revision": alert.revision,
            "at": alert.at,
            "received_at": now,
            "severity": alert.severity.value,
            "reason": alert.reason,
            "body": alert.model_dump_json(),
        }
    )
    row = batch.new.get(alert.alert_id) or batch.known.get(alert.alert_id)
    if row is None:
        batch.new[alert.alert_id] = _first_row(alert, now)
        return True
    row["updated_at"] = now
    if (alert.revision, PHASE_RANK[alert.phase]) > (row["revision"], PHASE_RANK[Phase(row["phase"])]):
        row |= _newest(alert)
    if _opened_rank(alert) < row["opened_rank"]:
        row |= _opened(alert)
    return True


def _first_row(alert: AlertIn, now: datetime) -> dict[str, Any]:
    fixed = {
        "alert_id": alert.alert_id,
        "camera_id": alert.camera_id,
        "rule": alert.rule,
        "zone": alert.zone,
        "received_at": now,
        "updated_at": now,
        "verdict_id": None,
        "suppressed": Suppression.SHADOW.value if alert.provenance.params.get("shadow") is True else None,
        "suppressed_by": None,
    }
    return fixed | _newest(alert) | _opened(alert)


def _newest(alert: AlertIn) -> dict[str, Any]:
    return {
        "phase": alert.phase.value,
        "revision": alert.revision,
        "started_at": alert.started_at,
        "at": alert.at,
        "severity": alert.severity.value,
        "score": alert.score,
        "facts": alert.facts,
        "reason": alert.reason,
    }


def _opened(alert: AlertIn) -> dict[str, Any]:
    return {"opened_at": alert.at, "opened_t": alert.t, "opened_rank": _opened_rank(alert)}


def _opened_rank(alert: AlertIn) -> int:
    return -1 if alert.phase is Phase.OPENED else alert.revision
