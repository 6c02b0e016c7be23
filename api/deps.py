"""What routes are given: the running service, and who is asking. Every route has one of these guards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, HTTPException, Request

from api.auth import Guard, same
from api.blurred import Blurrer
from api.db.people import SessionRow
from api.db.store import Clock, Store
from api.feed import Feed
from api.media import MediaFolder
from api.metrics import ApiMetrics
from api.oidc import Oidc
from api.outbound.dispatch import Outbound
from api.outbound.reach import Reach
from api.retention import Retention
from api.schemas import Slug
from api.settings import Settings
from api.signing import SigningKey
from api.what_if import WhatIfs
from api.workers import Workers

SESSION_COOKIE = "watchpost_session"
CSRF_COOKIE = "watchpost_csrf"
CSRF_HEADER = "X-Watchpost-CSRF"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one running service."""

    settings: Settings
    store: Store
    feed: Feed
    media: MediaFolder
    guard: Guard
    clock: Clock
    metrics: ApiMetrics
    retention: Retention
    outbound: Outbound
    reach: Reach
    signing: SigningKey
    blurrer: Blurrer
    oidc: Oidc | None
    workers: Workers = field(default_factory=Workers)
    what_ifs: WhatIfs = field(default_factory=WhatIfs)


async def get_service(request: Request) -> Service:  # async: any other dependency costs a turn of a thread
    """The service that this request came to."""
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(get_service)]


async def require_session(request: Request, service: ServiceDep) -> SessionRow:
    """A logged-in person, even one who must change the password first; writes must come from our own page."""
    session = await service.guard.session(request.cookies.get(SESSION_COOKIE))
    if session is None:
        raise HTTPException(401, "not logged in")
    if request.method not in _READS and not same(request.headers.get(CSRF_HEADER, ""), session.csrf):
        raise HTTPException(403, f"the header {CSRF_HEADER} does not equal the cookie {CSRF_COOKIE}")
    return session


SessionDep = Annotated[SessionRow, Depends(require_session)]


async def require_person(session: SessionDep) -> SessionRow:
    """A logged-in person who may use the service."""
    if session.user.must_change_password:
        raise HTTPException(403, "change your password first")
    return session


PersonDep = Annotated[SessionRow, Depends(require_person)]


async def require_reviewer(session: PersonDep) -> SessionRow:
    """A person who may give verdicts."""
    if session.user.role not in ("operator", "admin"):
        raise HTTPException(403, "a verdict needs the role operator or admin")
    return session


ReviewerDep = Annotated[SessionRow, Depends(require_reviewer)]


async def require_admin(session: PersonDep) -> SessionRow:
    """A person who may change the service itself, who may do what, and read the audit."""
    if session.user.role != "admin":
        raise HTTPException(403, "this needs the role admin")
    return session


AdminDep = Annotated[SessionRow, Depends(require_admin)]


async def visible_alert(alert_id: UUID, session: PersonDep, service: ServiceDep) -> UUID:
    """The id of an alert, unless it is of a camera that this person may not see: then there is no such alert.

    Every route of people with an alert's id takes it from here (tests/api/test_scope.py).
    """
    cameras = session.user.cameras
    if cameras is not None and not await service.store.alerts.is_of(alert_id, cameras):
        raise HTTPException(404, "no such alert")
    return alert_id


async def visible_camera(camera_id: Slug, session: PersonDep) -> str:
    """The id of a camera, unless this person may not see it: then there is no such camera."""
    if not session.user.sees(camera_id):
        raise HTTPException(404, "no such camera")
    return camera_id


AlertDep = Annotated[UUID, Depends(visible_alert)]
CameraDep = Annotated[str, Depends(visible_camera)]


async def require_worker(
    service: ServiceDep, authorization: Annotated[str, Header(include_in_schema=False)] = ""
) -> str:
    """The name of the worker that asks."""
    scheme, _, token = authorization.partition(" ")
    name = await service.guard.worker(token.strip()) if scheme.lower() == "bearer" and token else None
    if name is None:
        raise HTTPException(401, "wanted the token of a worker", {"WWW-Authenticate": "Bearer"})
    return name
