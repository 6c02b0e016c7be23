"""The wire contract of what is no longer kept: the log of deletions. Imports pydantic and api.schemas only."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from api.schemas import MediaKind, Utc, Wire


class Why(StrEnum):
    """Why a piece of evidence is no longer kept."""

    AGE = "age"  # its time was over
    SIZE = "size"  # there was more evidence than the settings allow
    DISK = "disk"  # the disk was nearly full
    FILE_MISSING = "file_missing"  # nobody here removed it: the file was not there


class DeletionOut(Wire):
    """One line of the log: a piece of evidence that went."""

    alert_id: UUID
    camera_id: str
    kind: MediaKind
    why: Why
    reason: str
    bytes: int
    at: Utc


class DeletionPage(Wire):
    """A page of the log, newest first; `next` is an opaque cursor, null at the end."""

    items: list[DeletionOut]
    next: str | None
