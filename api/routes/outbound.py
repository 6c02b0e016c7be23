"""Targets outside: made, tested and looked at by administrators. No secret comes out of here."""

from __future__ import annotations

import logging
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, HTTPException, Path, Query

from api.db.outbound import BadTarget, UnknownTarget
from api.deps import PersonDep, Service, ServiceDep, require_admin
from api.schemas_outbound import DeliveryOut, TargetIn, TargetOut, TestOut, WebhookTo
from detector.errors import TargetUnreachable

log = logging.getLogger(__name__)

router = APIRouter(prefix="/outbound", tags=["outbound"], dependencies=[Depends(require_admin)])

TargetId = Annotated[int, Path(ge=1, lt=2**31)]


@router.get("", operation_id="listTargets")
async def list_targets(service: ServiceDep) -> list[TargetOut]:
    """Every target with its backlog and its last problem."""
    return await service.store.outbound.shown()


@router.post("", operation_id="addTarget", status_code=201)
async def add_target(wanted: TargetIn, service: ServiceDep, session: PersonDep) -> TargetOut:
    """Add a target; what happens from now on goes to it."""
    return await _save(wanted, service, session.user.name, None)


@router.put("/{target_id}", operation_id="changeTarget")
async def change_target(
    target_id: TargetId, wanted: TargetIn, service: ServiceDep, session: PersonDep
) -> TargetOut:
    """Change a target; secrets that are left out stay as they were."""
    return await _save(wanted, service, session.user.name, target_id)


@router.delete("/{target_id}", status_code=204, operation_id="removeTarget")
async def remove_target(target_id: TargetId, service: ServiceDep, session: PersonDep) -> None:
    """Remove a target with all that waits for it."""
    try:
        await service.store.outbound.remove(target_id, session.user.name)
    except UnknownTarget:
        raise _unknown() from None
    log.info("outbound target removed id=%d by=%s", target_id, session.user.name)
    service.outbound.changed()


@router.post("/{target_id}/test", operation_id="testTarget")
async def test_target(target_id: TargetId, service: ServiceDep) -> TestOut:
    """Send a test message now and say how it fared; never what the receiver wrote."""
    try:
        return await service.outbound.test(target_id)
    except UnknownTarget:
        raise _unknown() from None


@router.get("/{target_id}/log", operation_id="listDeliveries")
async def list_deliveries(
    target_id: TargetId, service: ServiceDep, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> list[DeliveryOut]:
    """How the newest tries ended."""
    try:
        return await service.store.outbound.log(target_id, limit)
    except UnknownTarget:
        raise _unknown() from None


async def _save(wanted: TargetIn, service: Service, by: str, target_id: int | None) -> TargetOut:
    await _check_place(wanted, service)
    try:
        saved = await service.store.outbound.save(wanted, by, target_id)
    except UnknownTarget:
        raise _unknown() from None
    except BadTarget as error:
        raise HTTPException(422, str(error)) from error
    log.info("outbound target saved id=%d kind=%s by=%s", saved, wanted.to.kind, by)
    service.outbound.changed()
    return next(one for one in await service.store.outbound.shown() if one.target_id == saved)


async def _check_place(wanted: TargetIn, service: Service) -> None:
    """Say at once that a place is not allowed; it is looked at again at every connection."""
    if isinstance(wanted.to, WebhookTo):
        if wanted.to.url is None:
            return
        parts = urlsplit(wanted.to.url.get_secret_value())
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    else:
        host, port = wanted.to.host, wanted.to.port
    try:
        await service.reach.address(host, port)
    except TargetUnreachable as error:
        raise HTTPException(422, error.text()) from error


def _unknown() -> HTTPException:
    return HTTPException(404, "no such target")
