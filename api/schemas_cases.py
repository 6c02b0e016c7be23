"""The wire contract of cases: named collections of alerts whose evidence stays. Imports pydantic and api.schemas only."""

from __future__ import annotations

from pydantic import field_validator

from api.schemas import AlertOut, Name, ShortText, Utc, Wire


class CaseIn(Wire):
    """A case to open, or what it is to be called from now on."""

    name: Name
    note: ShortText = ""

    @field_validator("name")
    @classmethod
    def _told(cls, name: str) -> str:
        if not name.strip():
            raise ValueError("wanted a name")
        return name.strip()


class CaseOut(Wire):
    """A case as lists show it."""

    case_id: int
    name: str
    note: str
    by: str
    at: Utc
    n_alerts: int


class CaseDetail(CaseOut):
    """A case with its alerts, oldest first."""

    alerts: list[AlertOut]
