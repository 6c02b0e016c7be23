"""All shared types. Arrays of one object have equal length n along axis 0; empty is n = 0, never None.

Box order is x0 y0 x1 y1, in pixels of the full upright picture (origin top left, x right, y down).
`t` is stream seconds (strictly increasing within an epoch), `at` an aware UTC datetime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

Fact = float | int | str | bool


class Kind(IntEnum):
    """What a detection is. A network card maps the network's own class names to these."""

    PERSON = 0
    BACKPACK = 1
    HANDBAG = 2
    SUITCASE = 3
    UMBRELLA = 4
    BOTTLE = 5
    CUP = 6
    PHONE = 7
    BOOK = 8
    LAPTOP = 9


class Phase(StrEnum):
    """The life of an alert; every alert is OPENED once and CLOSED once."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"


class Severity(StrEnum):
    """How soon a person should look."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


SEVERITY_ORDER: dict[Severity, int] = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2}


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where and when one picture was taken."""

    camera_id: str
    epoch: int  # grows at every reconnect, size change or time jump; state does not survive it
    index: int  # counts decoded pictures of this camera since start, from 0
    t: float  # stream seconds
    at: datetime  # UTC, wall clock of arrival (live) or start of run + t (file)
    width: int  # px, upright picture
    height: int  # px, upright picture

    def __post_init__(self) -> None:
        if self.at.utcoffset() != timedelta(0):
            raise ValueError(f"Stamp.at: wanted an aware UTC datetime, got {self.at!r}")


@dataclass(frozen=True, slots=True)
class _Rows:
    """Equal-length arrays; indexing with a mask or index array gives the same class."""

    def __post_init__(self) -> None:
        n = -1
        for f in fields(self):
            shape = getattr(self, f.name).shape
            wanted = f.metadata["row"]
            if len(shape) == 0 or shape[1:] != wanted or (n >= 0 and shape[0] != n):
                rows = "n" if n < 0 else str(n)
                raise ValueError(
                    f"{type(self).__name__}.{f.name}: wanted shape ({rows}, *{wanted}), got {shape}"
                )
            n = shape[0]

    def __len__(self) -> int:
        return int(getattr(self, fields(self)[0].name).shape[0])

    def __getitem__(self, rows: Mask | I64) -> Self:
        return type(self)(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def empty(cls) -> Self:
        return cls(*(np.zeros((0, *f.metadata["row"]), f.metadata["dtype"]) for f in fields(cls)))


def _row(dtype: type[np.generic], *shape: int) -> dict[str, object]:
    return {"dtype": dtype, "row": shape}


@dataclass(frozen=True, slots=True)
class Detections(_Rows):
    """What a network saw in one picture."""

    boxes: F32 = field(metadata=_row(np.float32, 4))  # (n, 4) x0 y0 x1 y1 px
    scores: F32 = field(metadata=_row(np.float32))  # (n,) 0-1
    kinds: I64 = field(metadata=_row(np.int64))  # (n,) values of Kind


@dataclass(frozen=True, slots=True)
class Tracks(_Rows):
    """The tracks seen in one picture (matched now, or coasting: seen_t < stamp.t)."""

    ids: I64 = field(metadata=_row(np.int64))  # (n,) per camera and run, never reused
    boxes: F32 = field(metadata=_row(np.float32, 4))  # (n, 4) x0 y0 x1 y1 px
    velocity: F32 = field(metadata=_row(np.float32, 2))  # (n, 2) px/s of the foot point
    scores: F32 = field(metadata=_row(np.float32))  # (n,) 0-1 of the last match
    kinds: I64 = field(metadata=_row(np.int64))  # (n,) values of Kind, a vote over time
    born_t: F64 = field(metadata=_row(np.float64))  # (n,) stream s of the first match
    seen_t: F64 = field(metadata=_row(np.float64))  # (n,) stream s of the last match


@dataclass(frozen=True, slots=True)
class Things(_Rows):
    """The carried things of one picture (seen now, or a short while ago: seen_t < stamp.t)."""

    ids: I64 = field(metadata=_row(np.int64))  # (n,) per camera and run, never reused; no track ids
    kinds: I64 = field(metadata=_row(np.int64))  # (n,) values of Kind, a vote over time
    boxes: F32 = field(metadata=_row(np.float32, 4))  # (n, 4) x0 y0 x1 y1 px, moved along with the owner
    owners: I64 = field(metadata=_row(np.int64))  # (n,) track id of whose it is, -1: nobody's
    since_t: F64 = field(metadata=_row(np.float64))  # (n,) stream s since when that is so
    seen_t: F64 = field(metadata=_row(np.float64))  # (n,) stream s of the last detection


@dataclass(frozen=True, slots=True)
class Ground(_Rows):
    """Where people stand on the floor, on a camera that is calibrated."""

    at_m: F64 = field(metadata=_row(np.float64, 2))  # (n, 2) metres, axes as calibrated
    velocity_m_s: F64 = field(metadata=_row(np.float64, 2))  # (n, 2) metres a second


@dataclass(frozen=True, slots=True)
class Observation:
    """What the rules are given of one picture: people, where they stand, how big a body is there; things.

    On a calibrated camera a body height is `calibration.BODY_M` metres of floor, and `ground` is exact.
    """

    stamp: Stamp
    tracks: Tracks  # people
    feet: F32  # (n, 2) x y px: bottom centre of each box, clamped into the picture
    body_px: F32  # (n,) height in px of a standing person at each foot point (the `bh` unit)
    depth_gain: F32  # (n,) how many sideways px one up-down px is worth on the ground there (1: from above)
    objects: Detections = field(default_factory=Detections.empty)  # what is no person, as it was detected
    ground: Ground | None = None  # None: not calibrated
    things: Things = field(default_factory=Things.empty)  # what people carry


@dataclass(frozen=True, slots=True)
class Series:
    """One measured quantity over an incident, for a plot; t and v have equal length."""

    name: str
    unit: str
    threshold: float | None  # the rule's parameter it is compared with
    t: tuple[float, ...]  # stream seconds
    v: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's word that something is true in this picture."""

    rule: str
    key: str  # which incident of this rule this is, e.g. "group-3"; stable while it lasts
    zone: str  # "" is the whole picture
    track_ids: tuple[int, ...]
    score: float  # 0-1
    severity: Severity
    facts: Mapping[str, Fact]  # numbers of this moment, e.g. {"n_people": 4, "speed_bh_s": 0.1}
    box: tuple[float, float, float, float]  # x0 y0 x1 y1 px around those concerned
    series: tuple[Series, ...] = ()  # of a thing that is over in a moment: how it came to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One phase of one alert. (alert_id, phase, revision) is its idempotency key."""

    alert_id: UUID  # uuid5 of run, camera, rule, key and episode number: a resend is the same alert
    phase: Phase
    revision: int  # 0 at OPENED, one more at each later phase
    camera_id: str
    rule: str
    rule_version: int
    params: Mapping[str, Fact]  # the rule's parameters that led to it
    zone: str  # "" is the whole picture
    t: float  # stream s of this phase
    at: datetime  # UTC of this phase
    started_t: float  # stream s at which the condition first held
    started_at: datetime
    severity: Severity
    score: float  # 0-1
    track_ids: tuple[int, ...]
    facts: Mapping[str, Fact]  # summary over the incident so far, with units in the names
    series: tuple[Series, ...]
    reason: str  # one sentence a person understands, with the numbers
    box: tuple[float, float, float, float]  # x0 y0 x1 y1 px around those concerned at t
