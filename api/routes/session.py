"""Log in, log out, who am I, change of password. The only routes open to someone who must change it."""

from __future__ import annotations

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from api.auth import SESSION_LIFE, NewSession, TooManyFailures
from api.db.people import User
from api.deps import CSRF_COOKIE, SESSION_COOKIE, ServiceDep, SessionDep, require_session
from api.schemas_session import LoginIn, Me, PasswordIn
from detector.errors import ConfigError

open_router = APIRouter(prefix="/session", tags=["session"])
router = APIRouter(prefix="/session", tags=["session"], dependencies=[Depends(require_session)])


@open_router.post("", operation_id="logIn")
async def log_in(login: LoginIn, request: Request, response: Response, service: ServiceDep) -> Me:
    """Open a session; ten failures of one name from one address within five minutes are answered 429."""
    try:
        session = await service.guard.log_in(login.name, login.password, address_of(request))
    except TooManyFailures as error:
        raise _slow_down(error) from error
    if session is None:
        raise HTTPException(401, "name and password do not fit")
    set_cookies(request, response, session)
    return _me(session.user)


@router.get("", operation_id="whoAmI")
async def who_am_i(session: SessionDep) -> Me:
    """Who is logged in."""
    return _me(session.user)


@router.delete("", status_code=204, operation_id="logOut")
async def log_out(session: SessionDep, response: Response, service: ServiceDep) -> None:
    """End this session."""
    await service.store.people.close_session(session)
    response.delete_cookie(SESSION_COOKIE)
    response.delete_cookie(CSRF_COOKIE)


@router.post("/password", operation_id="changePassword")
async def change_password(
    change: PasswordIn, session: SessionDep, request: Request, response: Response, service: ServiceDep
) -> Me:
    """Change one's own password; every other session of this person ends."""
    try:
        opened = await service.guard.change_password(
            session.user, change.old, change.new, address_of(request)
        )
    except TooManyFailures as error:
        raise _slow_down(error) from error
    except ConfigError as error:
        raise HTTPException(422, error.text()) from error
    if opened is None:
        raise HTTPException(403, "the old password is wrong")
    set_cookies(request, response, opened)
    return _me(opened.user)


def _me(user: User) -> Me:
    return Me(name=user.name, role=user.role, must_change_password=user.must_change_password)


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def _slow_down(error: TooManyFailures) -> HTTPException:
    return HTTPException(429, str(error), {"Retry-After": str(error.wait_s)})


def set_cookies(request: Request, response: Response, session: NewSession) -> None:
    """The session's cookie is out of reach of scripts; the other one is for our page to send back."""
    life_s, secure = int(SESSION_LIFE.total_seconds()), request.url.scheme == "https"
    for name, value, hidden in ((SESSION_COOKIE, session.token, True), (CSRF_COOKIE, session.csrf, False)):
        response.set_cookie(
            name, value, max_age=life_s, httponly=hidden, samesite="strict", secure=secure, path="/"
        )
