"""The evidence of an alert as one signed file."""

from __future__ import annotations

import asyncio
import errno
import tempfile
from collections.abc import AsyncIterator
from typing import IO

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import StreamingResponse

from api.bundle import Export, write_bundle
from api.db.alerts import UnknownAlert
from api.db.audit import Entry
from api.deps import AlertDep, ReviewerDep, ServiceDep, require_person
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
        alert = await service.store.alerts.detail(alert_id)
    except UnknownAlert:
        raise HTTPException(404, "no such alert") from None
    ready = [kind for kind, media in alert.media.items() if media.state is MediaState.READY]
    paths = {path.name: path for path in (service.media.path(alert_id, kind) for kind in ready)}
    export = Export(alert, paths, session.user.name, service.clock())
    # Without a name of its own, so that nothing stays behind whatever ends the answer.
    file: IO[bytes] = tempfile.TemporaryFile(dir=service.settings.data_dir)  # noqa: SIM115
    try:
        await asyncio.to_thread(write_bundle, file, export, service.signing)
    except OSError as error:
        file.close()
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        words = "the disk of the service is full" if full else "a file of evidence cannot be read now"
        raise HTTPException(507 if full else 503, words) from error
    n_bytes = file.tell()
    service.store.audit.look(Entry(session.user.name, What.DOWNLOAD, str(alert_id), {"kind": "bundle"}))
    headers = {
        "Content-Disposition": f'attachment; filename="watchpost-{alert_id}.zip"',
        "Content-Length": str(n_bytes),
    }
    return StreamingResponse(_pieces(file), media_type="application/zip", headers=headers)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        await asyncio.to_thread(file.seek, 0)
        while piece := await asyncio.to_thread(file.read, _CHUNK):
            yield piece
