"""The wire contract of figures over alerts and of how the service does. Imports pydantic and api.schemas only."""

from __future__ import annotations

from api.schemas import Utc, Wire, WorkerDisk


class HourOut(Wire):
    """Alerts that opened within an hour (UTC); hours without any are left out."""

    hour: Utc
    n: int


class PrecisionOut(Wire):
    """What people said of the alerts of a rule on a camera."""

    camera_id: str
    camera_name: str
    rule: str
    shadow: bool  # of a rule that runs silently
    n_alerts: int
    n_true: int
    n_false: int
    n_unclear: int
    precision: float | None  # true / (true + false); None while there is neither
    ci95: tuple[float, float] | None  # Wilson's interval


class ToVerdictOut(Wire):
    """Seconds from the arrival of an alert to the verdict that counts."""

    n: int
    median_s: float | None
    p90_s: float | None


class CoverageOut(Wire):
    """The share of time in which a camera was really analysed, as its worker last told."""

    camera_id: str
    camera_name: str
    state: str
    coverage: float


class InsightsOut(Wire):
    """Figures over the alerts that opened since a moment."""

    since: Utc
    until: Utc
    n_alerts: int
    per_hour: list[HourOut]
    precision: list[PrecisionOut]  # most alerts first
    to_verdict: ToVerdictOut
    coverage: list[CoverageOut]


class WorkerOut(Wire):
    """A worker, by its last pulse since the service started."""

    worker_id: str
    seen_at: Utc
    silent: bool
    n_cameras: int
    n_outbox: int  # items not yet delivered
    n_refused: int  # items that the service refused, kept for a person
    disk: WorkerDisk | None


class OutboundHealthOut(Wire):
    """All targets together."""

    n_targets: int
    n_failing: int
    n_waiting: int


class DetailsOut(Wire):
    """How the service does, for people who are logged in."""

    workers: list[WorkerOut]
    outbound: OutboundHealthOut
    evidence_state: str  # of its disk: ok, nearly full, full, unavailable
    evidence_free_bytes: int | None
    evidence_total_bytes: int | None
    data_free_bytes: int | None
    data_total_bytes: int | None
    signing_key: str  # fingerprint of the key that signs bundles
