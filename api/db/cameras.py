"""Cameras as their workers tell of them. Whether a worker is silent is computed when read, never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db import tables as tb
from api.db.session import Database
from api.schemas import CameraIn, CameraOut, CameraState, HeartbeatIn
from detector.errors import Trouble

_OVER = (CameraState.ENDED.value, CameraState.REMOVED.value)  # nothing more is expected of these
SILENT_AFTER = timedelta(seconds=20)  # a worker sends a pulse every few seconds
_TOLD = ("state", "reason", "trouble", "n_people", "picture_at", "name", "zones", "rules")


class UnknownCamera(LookupError):
    """No camera has this id."""


class CameraStore:
    """Reads and writes cameras."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._db = database
        self._clock = clock

    async def register(self, camera: CameraIn) -> None:
        """Store what a worker says of a camera. Raises StorageError."""
        values = camera.model_dump(mode="json", exclude={"camera_id"})
        await self._change({camera.camera_id: values})

    async def pulse(self, heartbeat: HeartbeatIn) -> None:
        """Store the pulse of every camera of a worker. Raises StorageError."""
        now = self._clock()
        await self._change(
            {
                camera.camera_id: camera.model_dump(mode="json", exclude={"camera_id"}) | {"seen_at": now}
                for camera in heartbeat.cameras
            }
        )

    async def picture_came(self, camera_id: str) -> None:
        """Note that a new picture lies on disk. Raises StorageError."""
        await self._change({camera_id: {"picture_at": self._clock()}})

    async def _change(self, values: dict[str, dict[str, Any]]) -> None:
        """Write the values of each camera and tell those that look different from before."""
        async with self._db.writing() as write:
            before = await self._read(write.connection, values)
            await ensure_cameras(write.connection, values.keys() - before.keys())
            for camera_id, changed in values.items():
                await write.connection.execute(
                    update(tb.cameras).where(tb.cameras.c.camera_id == camera_id).values(**changed)
                )
            after = await self._read(write.connection, values)
            write.news.extend(out for key, out in after.items() if _look(before.get(key)) != _look(out))

    async def all(self) -> list[CameraOut]:
        """Every camera, by id. Raises StorageError."""
        async with self._db.reading() as connection:
            return list((await self._read(connection, None)).values())

    async def get(self, camera_id: str) -> CameraOut:
        """One camera. Raises UnknownCamera, StorageError."""
        async with self._db.reading() as connection:
            found = await self._read(connection, [camera_id])
        if camera_id not in found:
            raise UnknownCamera(camera_id)
        return found[camera_id]

    async def _read(
        self, connection: AsyncConnection, camera_ids: Iterable[str] | None
    ) -> dict[str, CameraOut]:
        query = select(tb.cameras).order_by(tb.cameras.c.camera_id)
        if camera_ids is not None:
            query = query.where(tb.cameras.c.camera_id.in_(list(camera_ids)))
        now = self._clock()
        rows = (await connection.execute(query)).mappings()
        return {row["camera_id"]: _camera_out(row, now) for row in rows}


async def ensure_cameras(connection: AsyncConnection, camera_ids: Iterable[str]) -> None:
    """Make a bare row, named like its id, for every camera without one: no alert is lost for want of it."""
    wanted = sorted(camera_ids)
    found = await connection.execute(select(tb.cameras.c.camera_id).where(tb.cameras.c.camera_id.in_(wanted)))
    missing = set(wanted) - set(found.scalars())
    if missing:
        await connection.execute(insert(tb.cameras), [_bare(camera_id) for camera_id in sorted(missing)])


def _bare(camera_id: str) -> dict[str, Any]:
    return {
        "camera_id": camera_id,
        "name": camera_id,
        "timezone": "UTC",
        "width": 0,
        "height": 0,
        "zones": [],
        "rules": [],
        "state": CameraState.STARTING.value,
        "reason": "",
        "trouble": Trouble.NONE.value,
        "coverage": 0.0,
        "n_people": 0,
        "n_decoded": 0,
        "n_analysed": 0,
        "n_dropped": 0,
    }


def _camera_out(row: RowMapping, now: datetime) -> CameraOut:
    values = {name: row[name] for name in CameraOut.model_fields}
    seen_at: datetime | None = values["seen_at"]
    if seen_at is None:
        values |= {
            "state": CameraState.OFFLINE,
            "reason": "no pulse from a worker yet",
            "trouble": Trouble.NO_WORKER,
        }
    elif values["state"] not in _OVER and now - seen_at > SILENT_AFTER:
        values |= {
            "state": CameraState.OFFLINE,
            "reason": f"worker silent since {seen_at:%Y-%m-%d %H:%M:%SZ}",
            "trouble": Trouble.NO_WORKER,
        }
    return CameraOut(**values)


def _look(camera: CameraOut | None) -> tuple[Any, ...] | None:
    return None if camera is None else tuple(getattr(camera, name) for name in _TOLD)
