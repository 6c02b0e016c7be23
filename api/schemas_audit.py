"""The wire contract of the audit: who did what, and when. Imports pydantic and api.schemas only."""

from __future__ import annotations

from enum import StrEnum

from api.schemas import Fact, Utc, Wire


class What(StrEnum):
    """What the audit tells of. Workers' posts are not in it: the alerts themselves are their record."""

    LOGIN = "login"
    LOGIN_REFUSED = "login_refused"
    LOGOUT = "logout"
    PASSWORD = "password"  # noqa: S105 - the name of what was changed
    VIEW = "view"  # of evidence
    DOWNLOAD = "download"
    VERDICT = "verdict"
    CLAIM = "claim"
    TAKE_OVER = "take_over"
    RELEASE = "release"
    REOPEN = "reopen"
    NOTE = "note"
    HAND_OVER = "hand_over"
    TAKE_HAND_OVER = "take_hand_over"
    REVEAL = "reveal"  # people who were blurred; with the reason
    HOLD = "hold"
    HOLD_ENDED = "hold_ended"
    CASE = "case"
    DELETION = "deletion"
    CONFIGURATION = "configuration"  # people, what they may see, tokens


class AuditOut(Wire):
    """One line of the audit."""

    id: int
    at: Utc
    who: str
    what: str  # one of What, or a word of a newer version
    about: str  # an alert's id, a person's name
    details: dict[str, Fact]
    hash: str  # of this line and the hash of the line before


class AuditPage(Wire):
    """A page of the audit, newest first; `next` is an opaque cursor, null at the end."""

    items: list[AuditOut]
    next: str | None
