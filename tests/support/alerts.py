"""Alerts as a worker would send them, small and valid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from api.schemas import AlertIn, Provenance, Stages
from detector.types import Phase, Severity

RUN = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def alert_in(number: int = 0, phase: Phase = Phase.OPENED, revision: int = 0, **changes: Any) -> AlertIn:
    """Alert number `number`: its id is fixed by the number, its times by the revision."""
    at = START + timedelta(seconds=number + 10 * revision)
    values: dict[str, Any] = {
        "alert_id": uuid5(RUN, str(number)),
        "phase": phase,
        "revision": revision,
        "camera_id": "lawn",
        "rule": "gathering",
        "zone": "grass",
        "t": 20.0 + number + 10 * revision,
        "at": at,
        "started_t": float(number),
        "started_at": START + timedelta(seconds=number - 20),
        "severity": Severity.MEDIUM,
        "score": 0.8,
        "track_ids": [1, 2, 3, 4],
        "facts": {"n_people": 4, "dwell_s": 20.5, "zone_full": False},
        "series": [{"name": "people", "unit": "", "threshold": 4, "t": [0.0, 1.0], "v": [3, 4]}],
        "reason": f"4 people close together for {20 + 10 * revision} s",
        "box": (10.0, 20.0, 110.0, 220.0),
        "provenance": Provenance(
            run_id=RUN,
            network="yolov8n",
            model_sha256="a" * 64,
            provider="cpu",
            rule_version=1,
            params={"min_people": 4},
            config_hash="b" * 64,
            software="watchpost 0.1.0",
        ),
        "stages": Stages(captured_at=at, judged_at=at, stored_at=at),
    }
    return AlertIn(**(values | changes))
