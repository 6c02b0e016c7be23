"""The wire contract of what operators do: claims, notes, closing many, handing over. Imports pydantic and api.schemas only."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, field_validator

from api.schemas import ShortText, Suppression, Utc, VerdictIn, Wire


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("wanted some words")
    return text.strip()


class ClaimIn(Wire):
    """`take_over`: also when somebody else has the alert; they and the history are told."""

    take_over: bool = False


class NoteIn(Wire):
    """Words about an alert, or for the next shift."""

    note: ShortText

    _not_empty = field_validator("note")(_said)


class ReopenIn(Wire):
    """Why a closed alert is opened again."""

    note: ShortText = ""


class CloseIn(Wire):
    """One verdict for many alerts; those that are closed, or another's, are left as they are."""

    alert_ids: Annotated[list[UUID], Field(min_length=1, max_length=200)]
    verdict: VerdictIn


class LeftOut(Wire):
    """An alert that was not closed."""

    alert_id: UUID
    reason: str


class ClosedOut(Wire):
    """How many were closed, and which were not."""

    n_closed: int
    left: list[LeftOut]


class LoadOut(Wire):
    """What the desk was shown in the last hour, and what not; of a person with a scope, of their cameras only."""

    shown: int
    budget: int | None  # alerts an hour; null: none is set
    suppressed: dict[Suppression, int]


class HandoverOut(Wire):
    """A note from one shift to the next; its writer's claims ended with it."""

    handover_id: int
    note: str
    by: str
    at: Utc
    n_released: int
    taken_by: str | None  # who read it and went on
    taken_at: Utc | None
