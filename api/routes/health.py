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
_MIN_PART = 0.05  # of a small disk


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
    problems += await _evidence_problems(service)
    return problems + await asyncio.to_thread(_disk_problems, service)


async def _evidence_problems(service: Service) -> list[str]:
    try:
        return [f"evidence: {problem}" for problem in await service.retention.problems()]
    except StorageError as error:
        return [f"evidence: its state is not known: {error.got}"]


def _disk_problems(service: Service) -> list[str]:
    """Of the disk of the database."""
    try:
        disk = shutil.disk_usage(service.settings.data_dir)
    except OSError as error:
        return [f"disk: {error.strerror}"]
    enough = min(_MIN_FREE, disk.total * _MIN_PART)
    return [] if disk.free >= enough else [f"disk: {disk.free // 2**20} MiB free"]


def _version() -> str:
    try:
        return version("watchpost")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
