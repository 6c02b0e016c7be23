"""What a killed worker left: settled before the next one starts. And which new alert carries on an old one.

Open alerts are closed as "interrupted" at the last moment at which the killed worker is known to have lived. A
clip is what its last draft shows; other promised evidence is marked missing, half files go. An incident that still
stands is a new alert of the new run: the first one of the same camera, rule and zone whose condition began within
`LINK_S` after that moment carries the id of the alert before it as the fact `follows`, in each of its phases.

The sign of life is the time of the state folder's lock file, which a running worker renews.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from api.schemas import AlertIn, MediaKind
from detector.errors import StorageError
from detector.types import Alert, Phase
from streams.evidence import Folder
from streams.outbox import Outbox

log = logging.getLogger(__name__)

LINK_S = 120.0
_LOCK = "lock"


def lock_of(state_dir: Path) -> Path:
    """The file whose lock says that a worker runs here, and whose time says when one last did."""
    return state_dir / _LOCK


def last_sign(state_dir: Path) -> datetime | None:
    """When a worker was last known to live here; None: never, or the disk does not tell."""
    try:
        return datetime.fromtimestamp(lock_of(state_dir).stat().st_mtime, UTC)
    except OSError:
        return None


def show_life(state_dir: Path) -> None:
    """Renew the sign. A disk that refuses even this is told where something is to be stored."""
    with contextlib.suppress(OSError):
        os.utime(lock_of(state_dir))


def settle(outbox: Outbox, folder: Folder, alive_at: datetime | None) -> list[AlertIn]:
    """Say how that ended which a killed worker left; returns the ends of its alerts."""
    ends = [interrupted(alert, alive_at) for alert in outbox.open_alerts()]
    for end in ends:
        outbox.put_alert(end)
    for alert_id, kind in outbox.due_media():
        draft = folder.draft(alert_id) if kind is MediaKind.CLIP else None
        if draft is None:
            outbox.put_missing(alert_id, kind, "the worker was interrupted before it was written")
        else:
            path, span = draft
            note = "short post-roll: the worker was interrupted"
            outbox.put_media(alert_id, kind, path, span.start_t, span.duration_s, note=note)
    try:
        if n_stray := folder.sweep(outbox.paths()):
            log.info("removed half-written evidence n=%d", n_stray)
    except StorageError as error:  # watching and alerts go on without room for evidence
        log.warning("evidence folder cannot be swept error=%s", error)
    return ends


def interrupted(alert: AlertIn, alive_at: datetime | None) -> AlertIn:
    """The end of an alert whose worker was killed: at the last sign of life, else at its own last word."""
    later_s = max(0.0, (alive_at - alert.at).total_seconds()) if alive_at else 0.0
    return alert.model_copy(
        update={
            "phase": Phase.CLOSED,
            "revision": alert.revision + 1,
            "t": round(alert.t + later_s, 3),
            "at": alive_at if alive_at and later_s else alert.at,
            "facts": {**alert.facts, "end_reason": "interrupted"},
        }
    )


class Follows:
    """Links new alerts to interrupted ones. Filled before the parts start, then the inference thread's own."""

    def __init__(self) -> None:
        self._ends: list[AlertIn] = []  # not yet followed
        self._linked: dict[UUID, UUID] = {}  # open alert -> the one before it

    def remember(self, ends: Iterable[AlertIn]) -> None:
        """These were interrupted."""
        self._ends += ends

    def mark(self, alert: Alert) -> Alert:
        """The alert with the fact `follows`, if it carries on an interrupted one; each is followed once."""
        if alert.phase is Phase.OPENED and (end := self._before(alert)) is not None:
            self._ends.remove(end)
            self._linked[alert.alert_id] = end.alert_id
        before = self._linked.get(alert.alert_id)
        if before is None:
            return alert
        if alert.phase is Phase.CLOSED:
            del self._linked[alert.alert_id]
        return replace(alert, facts={**alert.facts, "follows": str(before)})

    def _before(self, alert: Alert) -> AlertIn | None:
        """The interrupted alert of this place and rule that was nearest in the picture."""
        place = (alert.camera_id, alert.rule, alert.zone, alert.params.get("shadow"))
        near = [
            end
            for end in self._ends
            if (end.camera_id, end.rule, end.zone, end.provenance.params.get("shadow")) == place
            and (alert.started_at - end.at).total_seconds() <= LINK_S
        ]
        return min(near, key=lambda end: _apart(end.box, alert.box), default=None)


def _apart(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Between the middles of two boxes, px."""
    return abs(a[0] + a[2] - b[0] - b[2]) / 2 + abs(a[1] + a[3] - b[1] - b[3]) / 2
