"""Configurations of cameras: versions as people made them, never changed, and what each camera's worker says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db import tables as tb
from api.db.audit import AuditLog, Entry
from api.db.cameras import ensure_cameras
from api.db.session import Database
from api.schemas_audit import What
from api.schemas_configuration import (
    Configuration,
    ConfigurationIn,
    ConfigurationOut,
    InForceIn,
    OrderOut,
    VersionOut,
)

SHOWN = 20  # versions
_V = tb.configurations.c


class Overtaken(Exception):
    """Somebody made a version after the one that this one was made from."""


class ConfigurationStore:
    """Reads and writes configurations."""

    def __init__(self, database: Database, audit: AuditLog, clock: Callable[[], datetime]) -> None:
        self._db, self._audit, self._clock = database, audit, clock

    async def tell(self, camera_id: str, told: InForceIn) -> None:
        """Store what a worker says. Raises StorageError."""
        values = {"told": told.model_dump(mode="json"), "at": self._clock()}
        async with self._db.writing() as write:
            await ensure_cameras(write.connection, [camera_id])
            mine = tb.in_force.c.camera_id == camera_id
            done = await write.connection.execute(update(tb.in_force).where(mine).values(**values))
            if done.rowcount == 0:
                await write.connection.execute(insert(tb.in_force).values(camera_id=camera_id, **values))

    async def due(self, answered: Mapping[str, int]) -> list[OrderOut]:
        """The newest version of each camera, where its worker has answered another. Raises StorageError."""
        newest = (
            select(_V.camera_id, func.max(_V.version).label("version"))
            .where(_V.camera_id.in_(list(answered)))
            .group_by(_V.camera_id)
        )
        async with self._db.reading() as connection:
            found = {row.camera_id: row.version for row in await connection.execute(newest)}
            return [
                OrderOut(
                    camera_id=camera_id,
                    version=version,
                    configuration=await _content(connection, camera_id, version),
                )
                for camera_id, version in sorted(found.items())
                if answered[camera_id] != version
            ]

    async def shown(self, camera_id: str) -> ConfigurationOut:
        """How the configuration of a camera stands. Raises StorageError."""
        mine = select(tb.configurations).where(_V.camera_id == camera_id)
        told = select(tb.in_force.c.told).where(tb.in_force.c.camera_id == camera_id)
        async with self._db.reading() as connection:
            rows = (await connection.execute(mine.order_by(_V.version.desc()).limit(SHOWN))).mappings().all()
            worker = (await connection.execute(told)).scalar_one_or_none()
        versions = [
            VersionOut(
                version=row["version"],
                configuration=_read(row["content"]),
                note=row["note"],
                by=row["by"],
                at=row["at"],
            )
            for row in rows
        ]
        return ConfigurationOut(
            camera_id=camera_id,
            version=versions[0].version if versions else 0,
            worker=None if worker is None else InForceIn.model_validate_json(json.dumps(worker)),
            versions=versions,
        )

    async def save(self, camera_id: str, wanted: ConfigurationIn, by: str) -> int:
        """Make a version; gives its number. Raises Overtaken, StorageError."""
        content = wanted.configuration
        async with self._db.writing() as write:
            newest = select(func.max(_V.version)).where(_V.camera_id == camera_id)
            last = (await write.connection.execute(newest)).scalar_one() or 0
            if last != wanted.based_on:
                raise Overtaken(f"version {last} was made meanwhile, from another screen; nothing was saved")
            await write.connection.execute(
                insert(tb.configurations).values(
                    camera_id=camera_id,
                    version=last + 1,
                    content=None if content is None else content.model_dump(mode="json"),
                    note=wanted.note,
                    by=by,
                    at=self._clock(),
                )
            )
            details = {"done": "camera configured", "version": last + 1, "note": wanted.note} | _counts(
                content
            )
            await self._audit.append(write, Entry(by, What.CONFIGURATION, camera_id, details))
        return last + 1


def _counts(content: Configuration | None) -> dict[str, int | bool]:
    if content is None:
        return {"back_to_site_file": True}
    return {f"n_{name}": len(getattr(content, name)) for name in ("zones", "lines", "masks", "rules")}


async def _content(connection: AsyncConnection, camera_id: str, version: int) -> Configuration | None:
    one = (_V.camera_id == camera_id) & (_V.version == version)
    return _read((await connection.execute(select(_V.content).where(one))).scalar_one())


def _read(content: Any) -> Configuration | None:
    """From a JSON column. By its text: a pair is a list in JSON."""
    return None if content is None else Configuration.model_validate_json(json.dumps(content))
