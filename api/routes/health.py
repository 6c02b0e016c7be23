"""Whether the service can store an alert now. Open to everyone, so it tells no address and no name."""

from __future__ import annotations

import asyncio
import shutil
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter

from api.deps import Service, ServiceDep
from api.schemas import HealthOut
from detector.errors import StorageError

router = APIRouter(prefix="/health", tags=["health"])

_MIN_FREE = 500 * 1024 * 1024  # bytes; a few clips more and the disk is full


@router.get("", operation_id="health")
async def health(service: ServiceDep) -> HealthOut:
    """The state of the database and the disk."""
    problems = await problems_of(service)
    return HealthOut(
        status="degraded" if problems else "ok",
        version=_version(),
        database=service.store.database.kind,
        problems=problems,
    )


async def problems_of(service: Service) -> list[str]:
    """What keeps the service from storing an alert, or soon will."""
    problems = service.store.database.problems()
    try:
        await service.store.alerts.head()
    except StorageError as error:
        problems.append(f"database: cannot be read: {error.got}")
    return problems + await asyncio.to_thread(_disk_problems, service)


def _disk_problems(service: Service) -> list[str]:
    try:
        free = shutil.disk_usage(service.settings.data_dir).free
    except OSError as error:
        return [f"disk: {error.strerror}"]
    return [] if free >= _MIN_FREE else [f"disk: {free // 2**20} MiB free"]


def _version() -> str:
    try:
        return version("watchpost")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
