"""What people see of alerts and the verdicts they give. Evidence is looked up by id; no path is taken."""

from __future__ import annotations

import logging
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse

from api.db.alerts import AlertFilter, UnknownAlert
from api.db.cursor import BadCursor
from api.deps import ReviewerDep, Service, ServiceDep, require_person
from api.schemas import AlertDetail, AlertPage, MediaKind, MediaState, Slug, Verdict, VerdictIn
from detector.types import Phase, Severity

log = logging.getLogger(__name__)

router = APIRouter(prefix="/alerts", tags=["alerts"], dependencies=[Depends(require_person)])

VerdictFilter = Literal["none"] | Verdict


def _filter(
    camera_id: Slug | None = None,
    rule: Slug | None = None,
    phase: Phase | None = None,
    severity: Severity | None = None,
    verdict: VerdictFilter | None = None,
) -> AlertFilter:
    return AlertFilter(camera_id=camera_id, rule=rule, phase=phase, severity=severity, verdict=verdict)


@router.get("", operation_id="listAlerts")
async def list_alerts(
    service: ServiceDep,
    wanted: Annotated[AlertFilter, Depends(_filter)],
    limit: Annotated[int, Query(ge=1, description="More than 200 is taken as 200")] = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> AlertPage:
    """Alerts, newest arrival first; `next` of a page is the `cursor` of the following one."""
    try:
        return await service.store.alerts.page(wanted, limit, cursor)
    except BadCursor as error:
        raise HTTPException(422, f"cursor: {error}") from error


@router.get("/{alert_id}", operation_id="getAlert")
async def get_alert(alert_id: UUID, service: ServiceDep) -> AlertDetail:
    """Everything about one alert."""
    return await _detail(service, alert_id)


@router.post("/{alert_id}/verdict", operation_id="giveVerdict")
async def give_verdict(
    alert_id: UUID, verdict: VerdictIn, service: ServiceDep, session: ReviewerDep
) -> AlertDetail:
    """Say what an alert was; the last verdict counts and all are kept."""
    try:
        await service.store.alerts.add_verdict(alert_id, verdict, session.user.name)
    except UnknownAlert:
        raise HTTPException(404, "no such alert") from None
    return await _detail(service, alert_id)


@router.put("/{alert_id}/hold", operation_id="hold")
async def hold(alert_id: UUID, service: ServiceDep, session: ReviewerDep) -> AlertDetail:
    """Keep this alert's evidence: no age and no full disk removes it."""
    return await _hold(service, alert_id, session.user.name)


@router.delete("/{alert_id}/hold", operation_id="release")
async def release(alert_id: UUID, service: ServiceDep, session: ReviewerDep) -> AlertDetail:
    """Let the rules of retention apply to this alert's evidence again."""
    detail = await _hold(service, alert_id, None)
    log.info("hold released alert=%s by=%s", alert_id, session.user.name)
    return detail


async def _hold(service: Service, alert_id: UUID, by: str | None) -> AlertDetail:
    try:
        await service.store.alerts.hold(alert_id, by)
    except UnknownAlert:
        raise HTTPException(404, "no such alert") from None
    return await _detail(service, alert_id)


async def _detail(service: Service, alert_id: UUID) -> AlertDetail:
    try:
        return await service.store.alerts.detail(alert_id)
    except UnknownAlert:
        raise HTTPException(404, "no such alert") from None


def _serve(kind: MediaKind) -> None:
    async def serve(alert_id: UUID, request: Request, service: ServiceDep) -> Response:
        try:
            found = await service.store.alerts.media(alert_id, kind)
        except UnknownAlert:
            raise HTTPException(404, "no such alert") from None
        if found.media.state is MediaState.PENDING:
            raise HTTPException(404, f"the {kind.value} has not come yet")
        if found.media.state is MediaState.MISSING:
            raise HTTPException(404, f"there is no {kind.value}: {found.media.reason}")
        return await service.media.serve(alert_id, kind, found, request)

    serve.__doc__ = f"The {kind.value} of an alert, whole or by Range."
    path = f"/{{alert_id}}/{kind.value}"
    router.get(path, operation_id=f"get{kind.value.capitalize()}", response_class=FileResponse)(serve)
    router.head(path, include_in_schema=False, response_class=FileResponse)(serve)


for _kind in MediaKind:
    _serve(_kind)
