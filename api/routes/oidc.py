"""Login at a provider: there and back. Open to everyone, since nobody is logged in yet; without a provider both are 404."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse

from api.deps import Service, ServiceDep
from api.oidc import LIFE, Oidc, Refused
from api.routes.session import address_of, set_cookies
from api.schemas_session import WaysOut
from detector.errors import ConfigError

log = logging.getLogger(__name__)

BINDER_COOKIE = "watchpost_oidc"
_PATH = "/api/v1/session/oidc"
_Word = Annotated[str, Query(max_length=2000)]

router = APIRouter(prefix="/session", tags=["session"])


@router.get("/ways", operation_id="listWays")
async def list_ways(service: ServiceDep) -> WaysOut:
    """How people may log in here."""
    return WaysOut(oidc=service.oidc is not None)


@router.get("/oidc", operation_id="beginOidc", status_code=303, response_class=RedirectResponse)
async def begin(request: Request, service: ServiceDep) -> RedirectResponse:
    """Go to the provider."""
    try:
        begun = await _oidc(service).begin()
    except Refused as error:
        return _refused(error)
    answer = RedirectResponse(begun.url, 303)
    # Lax: the way back is a link from another site. It opens nothing; it only says which browser began.
    answer.set_cookie(
        BINDER_COOKIE,
        begun.binder,
        max_age=int(LIFE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path=_PATH,
    )
    return answer


@router.get("/oidc/callback", operation_id="endOidc", status_code=303, response_class=RedirectResponse)
async def callback(
    request: Request, service: ServiceDep, state: _Word = "", code: _Word = ""
) -> RedirectResponse:
    """Come back from the provider; a login that is refused leads to the login page, which says so."""
    try:
        known = await _oidc(service).end(state, code, request.cookies.get(BINDER_COOKIE, ""))
        opened = await service.guard.log_in_known(known, address_of(request))
    except (Refused, ConfigError) as error:
        return _refused(error)
    answer = RedirectResponse("/", 303)
    set_cookies(request, answer, opened)
    answer.delete_cookie(BINDER_COOKIE, path=_PATH)
    return answer


def _oidc(service: Service) -> Oidc:
    if service.oidc is None:
        raise HTTPException(404, "there is no provider")
    return service.oidc


def _refused(error: Exception) -> RedirectResponse:
    log.warning("oidc login refused reason=%s", error)
    answer = RedirectResponse("/?login=refused", 303)
    answer.delete_cookie(BINDER_COOKIE, path=_PATH)
    return answer
