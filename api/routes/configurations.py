"""What is looked at in a camera's picture: shown to who may see the camera, changed by administrators, applied by its worker."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Depends, HTTPException

from api.configuration import check
from api.db.cameras import UnknownCamera
from api.db.configurations import Overtaken
from api.deps import AdminDep, CameraDep, Service, ServiceDep, require_person
from api.schemas_configuration import ConfigurationIn, ConfigurationOut
from detector.errors import ConfigError

log = logging.getLogger(__name__)

router = APIRouter(prefix="/cameras", tags=["cameras"], dependencies=[Depends(require_person)])


@router.get("/{camera_id}/configuration", operation_id="getConfiguration")
async def get_configuration(camera_id: CameraDep, service: ServiceDep) -> ConfigurationOut:
    """What is in force on a camera, what was made for it here, and what its worker says of that."""
    await _known(service, camera_id)
    return await service.store.configurations.shown(camera_id)


@router.put("/{camera_id}/configuration", operation_id="saveConfiguration")
async def save_configuration(
    camera_id: CameraDep, wanted: ConfigurationIn, service: ServiceDep, session: AdminDep
) -> ConfigurationOut:
    """Make a new version; the camera's worker takes it within seconds, or says why not."""
    await _known(service, camera_id)
    try:
        if wanted.configuration is not None:
            check(wanted.configuration)
        version = await service.store.configurations.save(camera_id, wanted, session.user.name)
    except ConfigError as error:
        raise HTTPException(422, error.text()) from error
    except Overtaken as error:
        raise HTTPException(409, str(error)) from error
    log.info("configuration saved camera=%s version=%d by=%s", camera_id, version, session.user.name)
    return await service.store.configurations.shown(camera_id)


async def _known(service: Service, camera_id: str) -> None:
    try:
        await service.store.cameras.get(camera_id)
    except UnknownCamera:
        raise HTTPException(404, "no such camera") from None
