"""The wire contract of who sees people clear. Imports pydantic and api.schemas only."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from api.schemas import ShortText, Wire
from api.schemas_people import Role


class PrivacyDoc(Wire):
    """The roles for which people are blurred in every picture, until one of them reveals an alert."""

    blurred: Annotated[list[Role], Field(max_length=3)]


class RevealIn(Wire):
    """Why a person has to see people clear; it is kept in the audit."""

    reason: Annotated[ShortText, Field(min_length=5)]


class ClipView(StrEnum):
    """What this person is served as the clip of an alert."""

    CLEAR = "clear"  # as it came
    BLURRED = "blurred"
    BEING_MADE = "being_made"  # the blurred one; ask again
    NONE = "none"  # there is no clip, or it cannot be blurred


class ViewOut(Wire):
    """How this person sees an alert."""

    blurred: bool
    clip: ClipView
