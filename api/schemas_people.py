"""The wire contract of people and tokens, for administrators. Imports pydantic and api.schemas only."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from api.schemas import Slug, Utc, Wire

Role = Literal["admin", "operator", "viewer"]
PersonName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Rights(Wire):
    """What a person may do, and of which cameras they see anything. `cameras` null: all of them."""

    role: Role
    cameras: Annotated[list[Slug], Field(max_length=1000)] | None = None

    @model_validator(mode="after")
    def _an_admin_sees_all(self) -> Self:
        if self.role == "admin" and self.cameras is not None:
            raise ValueError("cameras: an administrator sees all; wanted null")
        return self


class PersonIn(Rights):
    """A person to add."""

    name: PersonName


class PersonChangeIn(Rights):
    """What a person may do from now on; it ends their sessions."""

    disabled: bool


class PersonOut(Rights):
    """A person, without any secret."""

    name: str
    must_change_password: bool
    created_at: Utc
    disabled_at: Utc | None


class OneTimeOut(Wire):
    """A password that is shown only now and must be changed at the first login."""

    name: str
    one_time_password: str


class TokenIn(Wire):
    """The name of a worker."""

    name: PersonName


class TokenOut(Wire):
    """A worker that has a token."""

    name: str
    created_at: Utc


class NewTokenOut(Wire):
    """A token, shown only now."""

    name: str
    token: str
