"""Blurred copies of evidence: made once, kept for an hour after they were last asked for, so none outlives its original long.

One clip is made at a time. A copy is whole or not there: it gets its name when it is complete.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from detector.errors import SourceError, StorageError

log = logging.getLogger(__name__)

KEPT_S = 3600.0
_LOOK_S = 300.0
_MAX_FAILED = 1000  # names remembered

Make = Callable[[Path], None]  # writes the copy; blocks; raises SourceError, OSError


class Blurrer:
    """The folder of blurred copies, emptied at each start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._turn = asyncio.Lock()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, str] = {}  # name -> why

    async def run(self) -> None:
        """Remove what nobody asks for, for ever."""
        await asyncio.to_thread(self._sweep, 0.0)
        while True:
            await asyncio.sleep(_LOOK_S)
            await asyncio.to_thread(self._sweep, KEPT_S)

    def failed(self, name: str) -> str:
        """Why a copy cannot be made; "" when it can."""
        return self._failed.get(name, "")

    async def look(self, name: str, make: Make) -> Path | None:
        """The copy of this name; None: it is being made, or cannot be."""
        path = self.folder / name
        if await asyncio.to_thread(_used, path):
            return path
        if name not in self._under_way and not self.failed(name):
            task = asyncio.create_task(self._make(name, make))
            self._under_way[name] = task
            task.add_done_callback(lambda _: self._under_way.pop(name, None))
        return None

    async def wait(self, name: str, make: Make) -> Path | None:
        """The copy of this name once it is made; None: it cannot be."""
        path = await self.look(name, make)
        if path is None and (task := self._under_way.get(name)):
            await asyncio.shield(task)
            path = await self.look(name, make)
        return path

    async def end(self) -> None:
        """Wait for the copy that is being made; those that wait for their turn are left."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _make(self, name: str, make: Make) -> None:
        async with self._turn:
            try:
                await asyncio.to_thread(self._write, name, make)
            except (SourceError, OSError) as error:
                why = error.what if isinstance(error, SourceError) else "the disk of the service refused it"
                log.error("not blurred file=%s error=%s", name, error)
                if isinstance(error, SourceError):  # a disk may take it the next time
                    self._failed[name] = why
                    if len(self._failed) > _MAX_FAILED:
                        self._failed.pop(next(iter(self._failed)))

    def _write(self, name: str, make: Make) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        part = self.folder / f".{uuid4().hex}.part"
        try:
            make(part)
            part.replace(self.folder / name)
        finally:
            part.unlink(missing_ok=True)

    def _sweep(self, kept_s: float) -> None:
        """Remove copies that were last used longer ago; a clock that jumps makes them anew."""
        try:
            for path in self.folder.iterdir():
                if kept_s == 0.0 or abs(time.time() - path.stat().st_mtime) > kept_s:
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            return
        except OSError as error:
            log.error("blurred copies not removed error=%s", error.strerror)


def _used(path: Path) -> bool:
    """Whether it is there; if so, it has been asked for now."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError("the disk of the service refuses", got=error.strerror or "") from error
    return True
