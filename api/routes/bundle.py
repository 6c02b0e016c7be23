"""The evidence of an alert as one signed file, and how such a file is made."""

from __future__ import annotations

import asyncio
import errno
import tempfile
from collections.abc import AsyncIterator
from typing import IO
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import StreamingResponse

from api.bundle import Alert, Contents, alert_contents, write_bundle
from api.db.alerts import UnknownAlert
from api.db.audit import Entry
from api.deps import AlertDep, ReviewerDep, Service, ServiceDep, require_person
from api.schemas import MediaState
from api.schemas_audit import What

_CHUNK = 256 * 1024

router = APIRouter(prefix="/alerts", tags=["alerts"], dependencies=[Depends(require_person)])


@router.get(
    "/{alert_id}/bundle",
    operation_id="getBundle",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/zip": {}}, "description": "A zip that `watchpost verify` checks"}
    },
)
async def get_bundle(alert_id: AlertDep, service: ServiceDep, session: ReviewerDep) -> StreamingResponse:
    """Clip, snapshot, overlay and the alert with its history, with a manifest signed by this service.

    Evidence is never changed: who may not see people clear reveals the alert first.
    """
    if await service.store.privacy.is_blurred(session, alert_id):
        raise HTTPException(403, "people are blurred for you here: reveal this alert first")
    try:
        contents = alert_contents(await evidence_of(service, alert_id))
    except UnknownAlert:
        raise HTTPException(404, "no such alert") from None
    answer = await sealed(service, contents, session.user.name, str(alert_id))
    service.store.audit.look(Entry(session.user.name, What.DOWNLOAD, str(alert_id), {"kind": "bundle"}))
    return answer


async def evidence_of(service: Service, alert_id: UUID) -> Alert:
    """An alert and where its evidence lies. Raises UnknownAlert, StorageError."""
    alert = await service.store.alerts.detail(alert_id)
    ready = [kind for kind, media in alert.media.items() if media.state is MediaState.READY]
    paths = (service.media.path(alert_id, kind) for kind in ready)
    return alert, {path.name: path for path in paths}


async def sealed(service: Service, contents: Contents, by: str, name: str) -> StreamingResponse:
    """A signed bundle as a file to save; raises HTTPException 503 or 507."""
    # Without a name of its own, so that nothing stays behind whatever ends the answer.
    file: IO[bytes] = tempfile.TemporaryFile(dir=service.settings.data_dir)  # noqa: SIM115
    try:
        await asyncio.to_thread(write_bundle, file, contents, by, service.clock(), service.signing)
    except OSError as error:
        file.close()
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        words = "the disk of the service is full" if full else "a file of evidence cannot be read now"
        raise HTTPException(507 if full else 503, words) from error
    headers = {
        "Content-Disposition": f'attachment; filename="watchpost-{name}.zip"',
        "Content-Length": str(file.tell()),
    }
    return StreamingResponse(_pieces(file), media_type="application/zip", headers=headers)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        await asyncio.to_thread(file.seek, 0)
        while piece := await asyncio.to_thread(file.read, _CHUNK):
            yield piece
