"""Alerts as the worker sends them, made up for tests: number `n` is always the same alert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from api.schemas import AlertIn, Provenance, Stages
from detector.types import Phase, Severity

ALERT_SPACE = UUID("6f0f4a5c-2a0b-4a9e-9d7c-0d6a3c7b1e55")
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def alert_in(n: int, phase: Phase = Phase.OPENED, revision: int = 0, camera_id: str = "yard") -> AlertIn:
    """Phase `phase` of alert `n`, which began `n` seconds after noon."""
    started_at = START + timedelta(seconds=n)
    at = started_at + timedelta(seconds=20 + revision)
    return AlertIn(
        alert_id=uuid5(ALERT_SPACE, str(n)),
        phase=phase,
        revision=revision,
        camera_id=camera_id,
        rule="gathering",
        zone="lawn",
        t=20.0 + n + revision,
        at=at,
        started_t=float(n),
        started_at=started_at,
        severity=Severity.MEDIUM,
        score=0.7,
        track_ids=[1, 2, 3, 4],
        facts={"n_people": 4},
        series=[],
        reason="4 people stood together for 20 s",
        box=(10.0, 20.0, 200.0, 220.0),
        provenance=Provenance(
            run_id=ALERT_SPACE,
            network="yolov8n",
            model_sha256="0" * 64,
            provider="cpu",
            rule_version=1,
            params={"min_people": 4},
            config_hash="1" * 64,
            software="0.1.0",
        ),
        stages=Stages(captured_at=at, judged_at=at, stored_at=at),
    )
