"""The wire contract of logging in. Imports pydantic and api.schemas only."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.schemas import Wire


class LoginIn(Wire):
    """What a person types."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=256)]


class PasswordIn(Wire):
    """A change of one's own password."""

    old: Annotated[str, Field(min_length=1, max_length=256)]
    new: Annotated[str, Field(min_length=12, max_length=256)]


class Me(Wire):
    """Who is logged in."""

    name: str
    role: str
    must_change_password: bool


class WaysOut(Wire):
    """How people may log in, beside name and password."""

    oidc: bool
