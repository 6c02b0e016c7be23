"""What people see of cameras."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import FileResponse

from api.blur import blur_picture
from api.db.cameras import UnknownCamera
from api.deps import CameraDep, PersonDep, ServiceDep, require_person
from api.schemas import CameraOut
from detector.errors import SourceUnreadable

router = APIRouter(prefix="/cameras", tags=["cameras"], dependencies=[Depends(require_person)])


@router.get("", operation_id="listCameras")
async def list_cameras(service: ServiceDep, session: PersonDep) -> list[CameraOut]:
    """Every camera that this person may see, with its latest pulse."""
    return [one for one in await service.store.cameras.all() if session.user.sees(one.camera_id)]


@router.get("/{camera_id}/picture", operation_id="getPicture", response_class=FileResponse)
@router.head("/{camera_id}/picture", include_in_schema=False, response_class=FileResponse)
async def get_picture(
    camera_id: CameraDep, request: Request, service: ServiceDep, session: PersonDep
) -> Response:
    """The newest picture of a camera; all of it is blurred for who may not see people clear."""
    try:
        camera = await service.store.cameras.get(camera_id)
    except UnknownCamera:
        raise HTTPException(404, "no such camera") from None
    if camera.picture_at is None:
        raise HTTPException(404, "no picture has come from this camera yet")
    if await service.store.privacy.is_blurred(session, None):
        picture = await asyncio.to_thread(_blurred, service.media.picture_path(camera_id))
        return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})
    return service.media.serve_picture(camera_id, f"{camera.picture_at.timestamp():.6f}", request)


def _blurred(path: Path) -> bytes:
    """Nobody says where people are in it, so nothing of it is clear."""
    try:
        return blur_picture(path.read_bytes(), None)
    except (SourceUnreadable, OSError):
        raise HTTPException(404, "the picture cannot be blurred") from None
