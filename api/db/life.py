"""What people do with an alert: claim, judge, note, reopen, hold. One at a time, and each with its line of the audit.

An alert is new, claimed by one person, or closed by a verdict. A claim is taken in one transaction, so two who
ask at once are not both given it; it ends with the verdict, by release, by being taken over, or when its holder
has done nothing with the alert for CLAIM_LIFE. Who takes over says so, and the history keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, insert, select

from api.db import tables as tb
from api.db.alerts import AlertStore, Cameras, UnknownAlert
from api.db.audit import AuditLog, Entry
from api.db.rows import claim_of
from api.db.session import Database, Write
from api.schemas import ActionKind, ClaimOut, VerdictIn
from api.schemas_audit import What

UNCLAIMED: Mapping[str, Any] = {"claimed_by": None, "claimed_at": None, "claim_used_at": None}
_RENEWED = timedelta(seconds=60)  # a sign of life within this time changes nothing: lists need not hear of it


class ClaimedByOther(Exception):
    """Somebody else works on this alert."""

    def __init__(self, claim: ClaimOut) -> None:
        super().__init__(f"{claim.by} has this alert since {claim.at:%Y-%m-%d %H:%M:%S} UTC")


class WrongStatus(Exception):
    """The alert is not in a state in which this can be done."""


class LifeStore:
    """Writes what people do with alerts."""

    def __init__(
        self, database: Database, alerts: AlertStore, audit: AuditLog, clock: Callable[[], datetime]
    ) -> None:
        self._db, self._alerts, self._audit, self._clock = database, alerts, audit, clock

    async def claim(self, alert_id: UUID, by: str, *, take_over: bool = False) -> None:
        """Make this alert one's own, or say that one still works on it.

        Raises ClaimedByOther unless `take_over`, WrongStatus for a closed one, UnknownAlert, StorageError.
        """
        now = self._clock()
        async with self._db.writing() as write:
            row = await _row(write, alert_id)
            if row["verdict_id"] is not None:
                raise WrongStatus("this alert is closed; reopen it first")
            held = claim_of(row, now)
            if held is not None and held.by == by:
                if now - row["claim_used_at"] >= _RENEWED:
                    await self._alerts.touch(write, alert_id, {"claim_used_at": now})
                return
            if held is not None and not take_over:
                raise ClaimedByOther(held)
            mine = {"claimed_by": by, "claimed_at": now, "claim_used_at": now}
            kind, what = ActionKind.CLAIMED, What.CLAIM
            if held is not None:
                kind, what = ActionKind.TAKEN_OVER, What.TAKE_OVER
            note = "" if held is None else f"from {held.by}"
            await self._did(write, alert_id, kind, by, note)
            await self._alerts.touch(write, alert_id, mine)
            await self._audit.append(write, Entry(by, what, str(alert_id), {"from": held.by} if held else {}))

    async def release(self, alert_id: UUID, by: str) -> None:
        """Give up one's claim; nothing happens without one. Raises ClaimedByOther, UnknownAlert, StorageError."""
        async with self._db.writing() as write:
            held = claim_of(await _row(write, alert_id), self._clock())
            if held is None:
                return
            if held.by != by:
                raise ClaimedByOther(held)
            await self._did(write, alert_id, ActionKind.RELEASED, by)
            await self._alerts.touch(write, alert_id, dict(UNCLAIMED))
            await self._audit.append(write, Entry(by, What.RELEASE, str(alert_id)))

    async def judge(self, alert_id: UUID, verdict: VerdictIn, by: str) -> None:
        """Store a person's word, which closes the alert; the last one counts.

        Raises ClaimedByOther, UnknownAlert, StorageError.
        """
        async with self._db.writing() as write:
            held = claim_of(await _row(write, alert_id), self._clock())
            if held is not None and held.by != by:
                raise ClaimedByOther(held)
            await self._judge(write, alert_id, verdict, by)

    async def judge_many(
        self, alert_ids: Sequence[UUID], verdict: VerdictIn, by: str, cameras: Cameras
    ) -> dict[UUID, str]:
        """Close those that are open and nobody else's, in one write; the others are named with why. Raises StorageError."""
        now, left = self._clock(), {}
        async with self._db.writing() as write:
            query = select(tb.alerts).where(tb.alerts.c.alert_id.in_(alert_ids)).with_for_update()
            rows = {row["alert_id"]: row for row in (await write.connection.execute(query)).mappings()}
            for alert_id in dict.fromkeys(alert_ids):
                why = _why_not(rows.get(alert_id), by, cameras, now)
                if why:
                    left[alert_id] = why
                else:
                    await self._judge(write, alert_id, verdict, by)
        return left

    async def _judge(self, write: Write, alert_id: UUID, verdict: VerdictIn, by: str) -> None:
        reason = verdict.reason.value if verdict.reason else None
        row = {
            "alert_id": alert_id,
            "verdict": verdict.verdict.value,
            "reason": reason,
            "note": verdict.note,
            "by": by,
            "at": self._clock(),
        }
        told = await write.connection.execute(insert(tb.verdicts).values(**row).returning(tb.verdicts.c.id))
        await self._alerts.touch(write, alert_id, {"verdict_id": told.scalar_one(), **UNCLAIMED})
        details = {"verdict": verdict.verdict.value, "reason": reason or ""}
        await self._audit.append(write, Entry(by, What.VERDICT, str(alert_id), details))

    async def reopen(self, alert_id: UUID, by: str, note: str) -> None:
        """Make a closed alert new again; its verdicts stay in its history. Raises WrongStatus, UnknownAlert, StorageError."""
        async with self._db.writing() as write:
            if (await _row(write, alert_id))["verdict_id"] is None:
                raise WrongStatus("this alert is not closed")
            await self._did(write, alert_id, ActionKind.REOPENED, by, note)
            await self._alerts.touch(write, alert_id, {"verdict_id": None})
            await self._audit.append(write, Entry(by, What.REOPEN, str(alert_id)))

    async def note(self, alert_id: UUID, by: str, note: str) -> None:
        """Add a person's words to an alert, whoever works on it. Raises UnknownAlert, StorageError."""
        async with self._db.writing() as write:
            used = _used(await _row(write, alert_id), by, self._clock())
            await self._did(write, alert_id, ActionKind.NOTE, by, note)
            await self._alerts.touch(write, alert_id, used)
            await self._audit.append(write, Entry(by, What.NOTE, str(alert_id)))

    async def hold(self, alert_id: UUID, by: str, held: bool) -> None:
        """Keep an alert's evidence whatever its age and the disk, or no longer.

        Who began to hold it stays. Raises WrongStatus for the release of one in a case, UnknownAlert, StorageError.
        """
        async with self._db.writing() as write:
            kept = select(tb.cases.c.name).join(tb.case_alerts).where(tb.case_alerts.c.alert_id == alert_id)
            if not held and (names := (await write.connection.execute(kept)).scalars().all()):
                raise WrongStatus(f"this alert is in a case ({', '.join(sorted(names))}): take it out first")
            await self.hold_within(write, alert_id, by, held=held)

    async def hold_within(self, write: Write, alert_id: UUID, by: str, *, held: bool) -> None:
        """The same within a write, whatever case it is in. Raises UnknownAlert, StorageError."""
        now = self._clock()
        row = await _row(write, alert_id)
        if (row["held_by"] is not None) == held:
            return
        values = {"held_by": by, "held_at": now} if held else {"held_by": None, "held_at": None}
        await self._did(write, alert_id, ActionKind.HELD if held else ActionKind.HOLD_ENDED, by)
        await self._alerts.touch(write, alert_id, values | _used(row, by, now))
        what = What.HOLD if held else What.HOLD_ENDED
        await self._audit.append(write, Entry(by, what, str(alert_id)))

    async def hand_over(self, write: Write, by: str, note: str) -> int:
        """Within a write: end every claim of a person, with the note in each alert's history; how many there were."""
        now = self._clock()
        query = select(tb.alerts).where(tb.alerts.c.claimed_by == by).order_by(tb.alerts.c.change)
        rows = (await write.connection.execute(query.with_for_update())).mappings().all()
        mine = [row["alert_id"] for row in rows if claim_of(row, now) is not None]
        for alert_id in mine:
            await self._did(write, alert_id, ActionKind.HANDED_OVER, by, note)
            await self._alerts.touch(write, alert_id, dict(UNCLAIMED))
        return len(mine)

    async def _did(self, write: Write, alert_id: UUID, kind: ActionKind, by: str, note: str = "") -> None:
        row = {"alert_id": alert_id, "kind": kind.value, "note": note, "by": by, "at": self._clock()}
        await write.connection.execute(insert(tb.actions).values(**row))


async def _row(write: Write, alert_id: UUID) -> RowMapping:
    """The alert's row, locked until the write ends where the database locks rows. Raises UnknownAlert."""
    query = select(tb.alerts).where(tb.alerts.c.alert_id == alert_id).with_for_update()
    row = (await write.connection.execute(query)).mappings().first()
    if row is None:
        raise UnknownAlert(alert_id)
    return row


def _used(row: RowMapping, by: str, now: datetime) -> dict[str, Any]:
    """What changes of a claim when this person does something."""
    held = claim_of(row, now)
    return {"claim_used_at": now} if held is not None and held.by == by else {}


def _why_not(row: RowMapping | None, by: str, cameras: Cameras, now: datetime) -> str:
    if row is None or (cameras is not None and row["camera_id"] not in cameras):
        return "no such alert"
    if row["verdict_id"] is not None:
        return "it is closed already"
    held = claim_of(row, now)
    return str(ClaimedByOther(held)) if held is not None and held.by != by else ""
