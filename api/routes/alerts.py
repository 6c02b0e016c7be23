"""What people see of alerts. Evidence is looked up by id, no path is taken, and who looks is in the audit."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from api.db.alerts import AlertFilter, UnknownAlert
from api.db.audit import Entry
from api.db.cursor import BadCursor
from api.deps import AlertDep, PersonDep, Service, ServiceDep, require_person
from api.schemas import AlertDetail, AlertPage, Fact, MediaKind, MediaState, Slug, Verdict
from api.schemas_audit import What
from api.schemas_desk import LoadOut
from api.views import BEING_MADE, blurred_copy
from detector.types import Phase, Severity

router = APIRouter(prefix="/alerts", tags=["alerts"], dependencies=[Depends(require_person)])

Suppressed = Literal["no", "only", "shadow", "any"]
VerdictFilter = Literal["none"] | Verdict


async def _filter(
    session: PersonDep,
    camera_id: Slug | None = None,
    rule: Slug | None = None,
    phase: Phase | None = None,
    severity: Severity | None = None,
    verdict: VerdictFilter | None = None,
) -> AlertFilter:
    return AlertFilter(
        camera_id=camera_id,
        rule=rule,
        phase=phase,
        severity=severity,
        verdict=verdict,
        cameras=session.user.cameras,
    )


@router.get("", operation_id="listAlerts")
async def list_alerts(
    service: ServiceDep,
    wanted: Annotated[AlertFilter, Depends(_filter)],
    suppressed: Suppressed = "no",
    limit: Annotated[int, Query(ge=1, description="More than 200 is taken as 200")] = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> AlertPage:
    """Alerts, newest arrival first; `next` of a page is the `cursor` of the following one."""
    try:
        return await service.store.alerts.page(replace(wanted, suppressed=suppressed), limit, cursor)
    except BadCursor as error:
        raise HTTPException(422, f"cursor: {error}") from error


@router.get("/load", operation_id="getLoad")
async def get_load(service: ServiceDep, session: PersonDep) -> LoadOut:
    """What the desk was shown in the last hour against its budget, and how many were suppressed."""
    return await service.store.alerts.load(session.user.cameras)


@router.get("/{alert_id}", operation_id="getAlert")
async def get_alert(alert_id: AlertDep, service: ServiceDep) -> AlertDetail:
    """Everything about one alert."""
    return await detail_of(service, alert_id)


async def detail_of(service: Service, alert_id: UUID) -> AlertDetail:
    """An alert as it now stands, or 404."""
    try:
        return await service.store.alerts.detail(alert_id)
    except UnknownAlert:
        raise HTTPException(404, "no such alert") from None


def _serve(kind: MediaKind) -> None:
    async def serve(
        alert_id: AlertDep,
        request: Request,
        service: ServiceDep,
        session: PersonDep,
        download: Annotated[bool, Query(description="As a file to save")] = False,
    ) -> Response:
        try:
            found = await service.store.alerts.media(alert_id, kind)
        except UnknownAlert:
            raise HTTPException(404, "no such alert") from None
        if found.media.state is MediaState.PENDING:
            raise HTTPException(404, f"the {kind.value} has not come yet")
        if found.media.state is MediaState.MISSING:
            raise HTTPException(404, f"there is no {kind.value}: {found.media.reason}")
        what = What.DOWNLOAD if download else What.VIEW
        told: dict[str, Fact] = {"kind": kind.value}
        if kind is not MediaKind.OVERLAY and await service.store.privacy.is_blurred(session, alert_id):
            copy = await blurred_copy(service, alert_id, kind, found)
            if copy == BEING_MADE:
                return JSONResponse({"detail": copy}, 202, {"Retry-After": "2"})
            if isinstance(copy, str):
                raise HTTPException(404, f"there is no blurred {kind.value}: {copy}")
            told["blurred"] = True
            answer = service.media.serve_copy(copy, kind, found.label, request)
        else:
            answer = await service.media.serve(alert_id, kind, found, request)
        service.store.audit.look(Entry(session.user.name, what, str(alert_id), told))
        if download and "content-disposition" in answer.headers:
            shown = answer.headers["content-disposition"]
            answer.headers["content-disposition"] = shown.replace("inline", "attachment", 1)
        return answer

    serve.__doc__ = f"The {kind.value} of an alert, whole or by Range."
    path = f"/{{alert_id}}/{kind.value}"
    router.get(path, operation_id=f"get{kind.value.capitalize()}", response_class=FileResponse)(serve)
    router.head(path, include_in_schema=False, response_class=FileResponse)(serve)


for _kind in MediaKind:
    _serve(_kind)
