"""The workers by their last pulse, in memory: a few seconds after a start all that live are known again."""

from __future__ import annotations

from datetime import datetime

from api.db.cameras import SILENT_AFTER
from api.schemas import HeartbeatIn
from api.schemas_stats import WorkerOut

_MOST = 1000


class Workers:
    """Owned by the event loop."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[datetime, HeartbeatIn]] = {}

    def note(self, pulse: HeartbeatIn, at: datetime) -> None:
        """A pulse came; the worker that was silent for longest is forgotten when there are too many."""
        self._seen.pop(pulse.worker_id, None)
        self._seen[pulse.worker_id] = (at, pulse)
        if len(self._seen) > _MOST:
            self._seen.pop(next(iter(self._seen)))

    def all(self, now: datetime) -> list[WorkerOut]:
        """Every worker, by id."""
        return [
            WorkerOut(
                worker_id=pulse.worker_id,
                seen_at=at,
                silent=now - at > SILENT_AFTER,
                n_cameras=len(pulse.cameras),
                n_outbox=pulse.n_outbox,
                n_refused=pulse.n_refused,
                disk=pulse.disk,
            )
            for _, (at, pulse) in sorted(self._seen.items())
        ]
