"""Who may do what, for administrators: people, what they may see, one-time passwords, workers' tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path

from api.auth import add_person, create_worker_token, reset_password
from api.db.people import LastAdmin
from api.deps import AdminDep, ServiceDep, require_admin
from api.schemas_people import (
    NewTokenOut,
    OneTimeOut,
    PersonChangeIn,
    PersonIn,
    PersonName,
    PersonOut,
    Rights,
    TokenIn,
    TokenOut,
)
from detector.errors import ConfigError

router = APIRouter(prefix="/users", tags=["people"], dependencies=[Depends(require_admin)])
tokens_router = APIRouter(prefix="/tokens", tags=["people"], dependencies=[Depends(require_admin)])

NamePath = Annotated[PersonName, Path()]


@router.get("", operation_id="listUsers")
async def list_users(service: ServiceDep) -> list[PersonOut]:
    """Everybody who has an account, by name."""
    return await service.store.people.all()


@router.post("", status_code=201, operation_id="addUser")
async def add_user(person: PersonIn, service: ServiceDep, session: AdminDep) -> OneTimeOut:
    """Add a person; the password is shown only now and must be changed at the first login."""
    try:
        password = await add_person(service.store, person, session.user.name)
    except ConfigError as error:
        raise HTTPException(409, "the name is taken") from error
    return OneTimeOut(name=person.name, one_time_password=password)


@router.put("/{name}", status_code=204, operation_id="changeUser")
async def change_user(name: NamePath, change: PersonChangeIn, service: ServiceDep, session: AdminDep) -> None:
    """What a person may do and see from now on; their sessions and open streams end."""
    rights = Rights(role=change.role, cameras=change.cameras)
    try:
        found = await service.store.people.change(name, rights, change.disabled, session.user.name)
    except LastAdmin as error:
        raise HTTPException(409, str(error)) from error
    if not found:
        raise HTTPException(404, "no such person")


@router.post("/{name}/password", operation_id="resetPassword")
async def reset(name: NamePath, service: ServiceDep, session: AdminDep) -> OneTimeOut:
    """A one-time password in place of the old one; the person's sessions end."""
    try:
        password = await reset_password(service.store, name, session.user.name)
    except ConfigError as error:
        raise HTTPException(404, "no such person") from error
    return OneTimeOut(name=name, one_time_password=password)


@tokens_router.get("", operation_id="listTokens")
async def list_tokens(service: ServiceDep) -> list[TokenOut]:
    """The workers that have a token; no token can be read again."""
    return await service.store.people.tokens()


@tokens_router.post("", status_code=201, operation_id="makeToken")
async def make_token(token: TokenIn, service: ServiceDep, session: AdminDep) -> NewTokenOut:
    """A new token for a worker, shown only now; its old one stops working."""
    made = await create_worker_token(service.store, token.name, session.user.name)
    return NewTokenOut(name=token.name, token=made)


@tokens_router.delete("/{name}", status_code=204, operation_id="endToken")
async def end_token(name: NamePath, service: ServiceDep, session: AdminDep) -> None:
    """A worker's token stops working."""
    if not await service.store.people.end_token(name, session.user.name):
        raise HTTPException(404, "no such token")
    service.guard.forget_workers()
