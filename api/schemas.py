"""The wire contract between worker, service and console. Of detector it imports types and errors' words only.

Every datetime is UTC and ends in Z on the wire. Boxes are x0 y0 x1 y1 px of the full upright picture; zones
are 0-1 of it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from detector.errors import Trouble
from detector.types import Alert, Phase, Severity


def _to_utc(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.utcoffset() != timedelta(0) else at


def _plain_text(text: str) -> str:
    """Refuse control and direction-changing characters: names are shown to people in lists and mails."""
    bad = [c for c in text if (not c.isprintable() and c != "\n") or "\u202a" <= c <= "\u202e"]
    if bad:
        raise ValueError(f"wanted printable characters, got {bad[0]!r}")
    return text


def _to_column(number: int) -> int:
    """A count stops at what a column of the database holds."""
    return min(number, 2**31 - 1)


Utc = Annotated[AwareDatetime, AfterValidator(_to_utc)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_plain_text)]
Line = Annotated[str, Field(max_length=500), AfterValidator(_plain_text)]
ShortText = Annotated[str, Field(max_length=2000), AfterValidator(_plain_text)]
Count = Annotated[int, Field(ge=0), AfterValidator(_to_column)]
Fact = bool | int | float | str
Box = tuple[float, float, float, float]
Point = tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]


class Wire(BaseModel):
    """Base of all wire types: unknown keys are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# ---------------------------------------------------------------- from the worker


class SeriesIn(Wire):
    """One measured quantity over an incident; t in stream seconds."""

    name: Name
    unit: Annotated[str, Field(max_length=20)]
    threshold: float | None
    t: Annotated[list[float], Field(max_length=4000)]
    v: Annotated[list[float], Field(max_length=4000)]

    @model_validator(mode="after")
    def _equal_length(self) -> Self:
        if len(self.t) != len(self.v):
            raise ValueError(f"t and v: wanted equal length, got {len(self.t)} and {len(self.v)}")
        return self


class Provenance(Wire):
    """What exactly produced an alert."""

    run_id: UUID
    network: Name
    model_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    provider: Name
    rule_version: int
    params: dict[str, Fact]
    config_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    software: Name
    # Of the privacy masks on its pictures; "": none, or a worker older than masks.
    mask_version: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""


class Stages(Wire):
    """When each stage was done, so that glass-to-operator latency is a number."""

    captured_at: Utc
    judged_at: Utc
    stored_at: Utc  # handed to the outbox


class AlertIn(Wire):
    """One phase of one alert; (alert_id, phase, revision) is the idempotency key."""

    alert_id: UUID
    phase: Phase
    revision: Annotated[int, Field(ge=0, le=100_000)]
    camera_id: Slug
    rule: Slug
    zone: Annotated[str, Field(max_length=100), AfterValidator(_plain_text)]
    t: float
    at: Utc
    started_t: float
    started_at: Utc
    severity: Severity
    score: Annotated[float, Field(ge=0, le=1)]
    track_ids: Annotated[list[int], Field(max_length=500)]
    facts: dict[str, Fact]
    series: Annotated[list[SeriesIn], Field(max_length=20)]
    reason: Line
    box: Box
    provenance: Provenance
    stages: Stages

    @classmethod
    def of(cls, alert: Alert, provenance: Provenance, stages: Stages) -> Self:
        """The wire shape of a domain alert."""
        return cls(
            alert_id=alert.alert_id,
            phase=alert.phase,
            revision=alert.revision,
            camera_id=alert.camera_id,
            rule=alert.rule,
            zone=alert.zone,
            t=alert.t,
            at=alert.at,
            started_t=alert.started_t,
            started_at=alert.started_at,
            severity=alert.severity,
            score=alert.score,
            track_ids=list(alert.track_ids),
            facts=dict(alert.facts),
            series=[
                SeriesIn(name=s.name, unit=s.unit, threshold=s.threshold, t=list(s.t), v=list(s.v))
                for s in alert.series
            ],
            reason=alert.reason,
            box=alert.box,
            provenance=provenance,
            stages=stages,
        )


class ZoneOut(Wire):
    """A polygon of the camera's upright picture, corners 0-1; two corners are a line, from the first on."""

    name: Name
    polygon: Annotated[list[Point], Field(min_length=2, max_length=64)]


class RuleOut(Wire):
    """A rule in force on a camera, with its parameters."""

    rule: Slug
    zone: Annotated[str, Field(max_length=100)]
    params: dict[str, Fact]


class CameraIn(Wire):
    """What a worker says of a camera it watches. No address, no credential."""

    camera_id: Slug
    name: Name
    timezone: Name
    width: Annotated[int, Field(ge=0, le=20_000)]  # 0: not known before the first picture
    height: Annotated[int, Field(ge=0, le=20_000)]
    zones: Annotated[list[ZoneOut], Field(max_length=200)]  # and lines
    rules: Annotated[list[RuleOut], Field(max_length=100)]


class CameraState(StrEnum):
    """Whether a camera is seen; only a decoded picture makes it online."""

    STARTING = "starting"
    ONLINE = "online"
    OFFLINE = "offline"
    STOPPING = "stopping"  # no longer wanted; what is open is still being closed and given back
    ENDED = "ended"
    REMOVED = "removed"  # no worker is to watch it any more; its alerts stay


class CameraHealthIn(Wire):
    """One camera's pulse, sent every few seconds."""

    camera_id: Slug
    state: CameraState
    reason: Line  # "" when online, unless it is wrong in a newer site file, or its zones must be checked
    trouble: Trouble = (
        Trouble.NONE
    )  # what keeps it from being seen, in one word; a worker older than it tells none
    n_decoded: Count
    n_analysed: Count
    n_dropped: Count
    coverage: Annotated[float, Field(ge=0, le=1)]  # analysed seconds / elapsed seconds
    n_people: Count


class WorkerDisk(Wire):
    """The disk on which a worker's alerts and evidence wait to be sent."""

    free_bytes: Annotated[int, Field(ge=0)]
    total_bytes: Annotated[int, Field(ge=0)]
    full: bool  # what is left is kept for alerts: they go on, without evidence


class HeartbeatIn(Wire):
    """A worker's pulse."""

    worker_id: Slug
    at: Utc
    n_outbox: Count  # items not yet delivered
    n_refused: Count  # items the API refused, kept for a person
    disk: WorkerDisk | None = None  # null: it does not answer, or a worker older than this
    cameras: Annotated[list[CameraHealthIn], Field(max_length=1000)]


class MediaKind(StrEnum):
    """The pieces of evidence of an alert."""

    SNAPSHOT = "snapshot"  # image/jpeg, the analysed picture, nothing drawn on it
    CLIP = "clip"  # video/mp4, H.264
    OVERLAY = "overlay"  # application/json, OverlayDoc


class OverlayFrame(Wire):
    """The boxes of one analysed picture, and the skeletons of its close pairs."""

    t: float  # stream seconds
    boxes: list[tuple[int, float, float, float, float]]  # track id, x0 y0 x1 y1 px
    skeletons: list[tuple[int, list[float]]] = []  # track id, 17 x (x px, y px, confidence), COCO order


class OverlayDoc(Wire):
    """Track boxes and skeletons over a clip's time, drawn by the console and never burned in."""

    width: int
    height: int
    frames: list[OverlayFrame]


class MissingIn(Wire):
    """Why a piece of evidence will never come."""

    reason: Line


class AlertReceipt(Wire):
    """The service has this phase on disk; `stored` is false when it already had it."""

    alert_id: UUID
    stored: bool


# ---------------------------------------------------------------- to the console


class MediaState(StrEnum):
    """Whether a piece of evidence can be fetched."""

    PENDING = "pending"
    READY = "ready"
    MISSING = "missing"


class MediaOut(Wire):
    """A piece of evidence. Of a clip: video time v shows stream second start_t + v."""

    state: MediaState
    reason: str  # why it is missing, or what it falls short of; "" otherwise
    bytes: int
    start_t: float | None
    duration_s: float | None


class Verdict(StrEnum):
    """A person's word."""

    TRUE = "true"
    FALSE = "false"
    UNCLEAR = "unclear"


class VerdictReason(StrEnum):
    """Why an alert was not what it seemed."""

    STATIC_OBJECT = "static_object"
    SHADOW_OR_WEATHER = "shadow_or_weather"
    ANIMAL = "animal"
    NORMAL_BEHAVIOUR = "normal_behaviour"
    POOR_VIEW = "poor_view"
    DUPLICATE = "duplicate"
    OTHER = "other"


class VerdictIn(Wire):
    """A false or unclear verdict names its reason; `other` needs a note."""

    verdict: Verdict
    reason: VerdictReason | None = None
    note: ShortText = ""

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.verdict is not Verdict.TRUE and self.reason is None:
            raise ValueError("reason: a false or unclear verdict needs a reason code")
        if self.reason is VerdictReason.OTHER and not self.note.strip():
            raise ValueError("note: the reason 'other' needs a note")
        return self


class VerdictOut(Wire):
    """A stored verdict."""

    verdict: Verdict
    reason: VerdictReason | None
    note: str
    by: str
    at: Utc


class AlertStatus(StrEnum):
    """How far people are with an alert."""

    NEW = "new"
    CLAIMED = "claimed"
    CLOSED = "closed"  # it has a verdict


class ClaimOut(Wire):
    """Who works on an alert now. Without a sign of life of theirs it ends by itself."""

    by: str
    at: Utc
    ends_at: Utc


class Suppression(StrEnum):
    """Why an alert is stored without being put before people."""

    COOLDOWN = "cooldown"  # it repeats one that was shown shortly before
    BUDGET = "budget"  # of low severity, when the desk was shown all it can take
    SHADOW = "shadow"  # of a rule that runs silently; stays so however severe it gets


class SuppressedOut(Wire):
    """An alert that is not put before people; `by` is the one that it repeats."""

    why: Suppression
    by: UUID | None


class ActionKind(StrEnum):
    """What a person did with an alert, beside giving a verdict."""

    CLAIMED = "claimed"
    TAKEN_OVER = "taken_over"
    RELEASED = "released"
    HANDED_OVER = "handed_over"
    REOPENED = "reopened"
    NOTE = "note"
    HELD = "held"
    HOLD_ENDED = "hold_ended"


class ActionOut(Wire):
    """One thing that a person did with an alert."""

    kind: ActionKind
    note: str
    by: str
    at: Utc


class HoldOut(Wire):
    """Who keeps an alert's evidence from being removed."""

    by: str
    at: Utc


class AlertOut(Wire):
    """An alert as lists and the feed show it: its newest phase."""

    alert_id: UUID
    phase: Phase
    revision: int
    camera_id: str
    camera_name: str
    rule: str
    zone: str
    started_at: Utc
    opened_at: Utc  # `at` of the OPENED phase (of the first one received, should it be missing)
    at: Utc  # of the newest phase
    severity: Severity
    score: float
    facts: dict[str, Fact]
    reason: str
    received_at: Utc
    updated_at: Utc
    status: AlertStatus
    suppressed: SuppressedOut | None
    claim: ClaimOut | None  # null: nobody works on it, or the claim has ended
    verdict: VerdictOut | None
    hold: HoldOut | None
    media: dict[MediaKind, MediaOut]


class PhaseOut(Wire):
    """One line of an alert's history."""

    phase: Phase
    revision: int
    at: Utc
    received_at: Utc
    severity: Severity
    reason: str


class AlertDetail(AlertOut):
    """Everything about one alert."""

    t: float
    started_t: float
    opened_t: float
    track_ids: list[int]
    series: list[SeriesIn]
    box: Box
    provenance: Provenance
    stages: Stages
    history: list[PhaseOut]
    verdicts: list[VerdictOut]  # oldest first; the last one counts unless the alert was reopened
    actions: list[ActionOut]  # oldest first


class AlertPage(Wire):
    """A page of alerts, newest first; `next` is an opaque cursor, null at the end."""

    items: list[AlertOut]
    next: str | None


class CameraOut(CameraIn):
    """A camera with its latest pulse."""

    state: CameraState
    reason: str
    trouble: Trouble
    seen_at: Utc | None
    coverage: float
    n_people: int
    n_decoded: int
    n_analysed: int
    n_dropped: int
    picture_at: Utc | None  # newest picture for the tile


class HealthOut(Wire):
    """Whether the service can store an alert now."""

    status: str  # "ok" or "degraded"
    version: str
    database: str
    problems: list[str]
