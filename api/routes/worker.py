"""What workers send: alerts, evidence, cameras, pulses. A repeat is answered alike and changes nothing."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response

from api.db.alerts import MediaRow, UnknownAlert
from api.deps import ServiceDep, require_worker
from api.media import MAX_UPLOAD, told_bytes
from api.retention import Disk
from api.schemas import AlertIn, AlertReceipt, CameraIn, HeartbeatIn, Line, MediaKind, MissingIn, Slug
from api.schemas_configuration import AskIn, InForceIn
from api.schemas_what_if import OrdersOut, WhatIfAnswer

log = logging.getLogger(__name__)

router = APIRouter(tags=["worker"], dependencies=[Depends(require_worker)])

CameraId = Annotated[Slug, Path()]
Seconds = Annotated[float | None, Query(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class _Span:
    """What a clip shows, in stream seconds, and in words what it falls short of."""

    start_t: Seconds = None
    duration_s: Seconds = None
    note: Annotated[Line, Query()] = ""


@router.post(
    "/alerts",
    status_code=201,
    operation_id="storeAlert",
    responses={200: {"model": AlertReceipt, "description": "This phase was stored before"}},
)
async def store_alert(alert: AlertIn, response: Response, service: ServiceDep) -> AlertReceipt:
    """Store one phase of an alert; it is on disk before the answer, and stored once."""
    stored = await service.store.alerts.ingest(alert)
    if stored:
        service.metrics.alert_stored(alert.phase)
        log.info(
            "alert stored camera=%s alert=%s phase=%s revision=%d",
            alert.camera_id,
            alert.alert_id,
            alert.phase.value,
            alert.revision,
        )
    else:
        response.status_code = 200
    return AlertReceipt(alert_id=alert.alert_id, stored=stored)


@router.put(
    "/alerts/{alert_id}/media/{kind}",
    status_code=204,
    operation_id="storeMedia",
    max_body_size=MAX_UPLOAD,
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
)
async def store_media(
    alert_id: UUID,
    kind: MediaKind,
    request: Request,
    service: ServiceDep,
    sha256: Annotated[str, Header(alias="X-Content-SHA256", pattern=r"^[0-9a-fA-F]{64}$")],
    span: Annotated[_Span, Depends()],
) -> None:
    """Store a piece of evidence of a known alert; its sha256 is checked before it counts."""
    await _known(service, alert_id, kind)
    if not await service.retention.make_room(told_bytes(kind, request)):
        full = service.retention.disk is Disk.FULL
        raise HTTPException(507 if full else 503, f"{service.retention.reason}; nothing was stored")
    saved = await service.media.save(alert_id, kind, request, sha256)
    row = MediaRow(kind, saved.sha256, saved.n_bytes, span.start_t, span.duration_s, span.note)
    await service.store.alerts.put_media(alert_id, row)
    log.info("media stored alert=%s kind=%s bytes=%d", alert_id, kind.value, saved.n_bytes)


@router.put("/alerts/{alert_id}/media/{kind}/missing", status_code=204, operation_id="tellMissing")
async def tell_missing(alert_id: UUID, kind: MediaKind, missing: MissingIn, service: ServiceDep) -> None:
    """Say why a piece of evidence will never come; one that is here stays."""
    await _known(service, alert_id, kind)
    await service.store.alerts.put_missing(alert_id, kind, missing.reason)


@router.put("/cameras/{camera_id}", status_code=204, operation_id="storeCamera")
async def store_camera(camera_id: CameraId, camera: CameraIn, service: ServiceDep) -> None:
    """Register a camera or what changed about it."""
    if camera.camera_id != camera_id:
        raise HTTPException(422, "camera_id in the address and in the body differ")
    await service.store.cameras.register(camera)


@router.put(
    "/cameras/{camera_id}/picture",
    status_code=204,
    operation_id="storePicture",
    openapi_extra={"requestBody": {"required": True, "content": {"image/jpeg": {}}}},
)
async def store_picture(camera_id: CameraId, request: Request, service: ServiceDep) -> None:
    """Replace the newest picture of a camera."""
    await service.media.save_picture(camera_id, request)
    await service.store.cameras.picture_came(camera_id)


@router.post("/heartbeat", status_code=204, operation_id="storePulse")
async def store_pulse(heartbeat: HeartbeatIn, service: ServiceDep) -> None:
    """Say that a worker lives and how its cameras are."""
    await service.store.cameras.pulse(heartbeat)
    service.workers.note(heartbeat, service.clock())


@router.put("/cameras/{camera_id}/in-force", status_code=204, operation_id="tellInForce")
async def tell_in_force(camera_id: CameraId, told: InForceIn, service: ServiceDep) -> None:
    """Say which configuration of a camera is in force, and why a newer one is not."""
    await service.store.configurations.tell(camera_id, told)


@router.post("/orders", operation_id="askOrders")
async def ask_orders(ask: AskIn, service: ServiceDep) -> OrdersOut:
    """The newest configuration of each of these cameras that the worker has not answered, and what is to be tried."""
    configurations = await service.store.configurations.due(ask.answered)
    return OrdersOut(configurations=configurations, what_ifs=service.what_ifs.for_worker(ask.answered))


@router.put("/what-ifs/{what_if_id}", status_code=204, operation_id="answerWhatIf")
async def answer_what_if(what_if_id: UUID, found: WhatIfAnswer, service: ServiceDep) -> None:
    """Say what came of a configuration that was to be tried."""
    if not service.what_ifs.answer(what_if_id, found):
        raise HTTPException(404, "nobody waits for this answer")


async def _known(service: ServiceDep, alert_id: UUID, kind: MediaKind) -> None:
    try:
        await service.store.alerts.media(alert_id, kind)
    except UnknownAlert:
        raise HTTPException(404, "no such alert") from None
