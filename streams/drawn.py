"""For what shape of picture a camera's zones, lines, masks and ground were drawn; another one asks to check them.

They are stored 0-1, so another size changes nothing; another ratio of width to height (a lens changed to another
mode, a stream of another crop) may put each of them elsewhere. The first shape seen with what is drawn now is
taken for the one it was drawn on, and kept over restarts: one small file for each camera. Owned by the inference
thread. Nothing depends on the file: one that is missing, damaged or not stored costs the warning.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detector.types import Stamp
from streams.config import Camera

log = logging.getLogger(__name__)

_SAME_LOG = 0.02  # of the ratio: encoders round a height up to a multiple of 8 or 16
_MAX_BYTES = 2_000
_Px = Annotated[int, Field(ge=1, le=20_000)]


class _File(BaseModel):
    """The content of a file."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    camera_id: str
    drawn: str  # sha256 of all that is drawn
    width: _Px
    height: _Px


class Drawn:
    """What is drawn on one camera's picture."""

    def __init__(self, folder: Path, camera: Camera) -> None:
        self.warning = ""  # "" while all fits; other threads may read it
        self._path, self._camera_id = folder / f"{camera.id}-drawn.json", camera.id
        self._drawn = _hash_of(camera)
        self._size = (0, 0)

    def look(self, stamp: Stamp) -> None:
        """To be called before each picture: compares its shape with the one that was drawn on."""
        size = (stamp.width, stamp.height)
        if not self._drawn or size == self._size or min(size) < 1:
            return
        self._size = size
        first = self._load()
        if first is None:
            self._store(size)
            first = size
        other = abs(math.log(size[0] / size[1] * first[1] / first[0])) > _SAME_LOG
        was, self.warning = self.warning, ""
        if other:
            self.warning = (
                f"check zones: what is drawn here was drawn on a picture of {first[0]}x{first[1]}, "
                f"and it is {size[0]}x{size[1]} now"
            )
        if self.warning != was:
            log.warning("%s camera_id=%s", self.warning or "zones fit the picture again", self._camera_id)

    def _load(self) -> tuple[int, int] | None:
        """The size it was drawn on; None: not known of what is drawn now."""
        try:
            with self._path.open("rb") as file:
                told = _File.model_validate_json(file.read(_MAX_BYTES))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            log.warning("unread, taken anew path=%s error=%s", self._path, type(error).__name__)
            return None
        if (told.camera_id, told.drawn) != (self._camera_id, self._drawn):
            return None
        return told.width, told.height

    def _store(self, size: tuple[int, int]) -> None:
        told = _File(camera_id=self._camera_id, drawn=self._drawn, width=size[0], height=size[1])
        part = self._path.with_name(self._path.name + ".part")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_text(told.model_dump_json(), "utf-8")
            part.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            log.warning("not stored path=%s error=%s", self._path, error.strerror or type(error).__name__)


def _hash_of(camera: Camera) -> str:
    """Tells what is drawn from anything else that may be drawn; "" where nothing is."""
    drawn = [
        [zone.polygon for zone in (*camera.zones, *camera.masks.zones)],
        [line.points for line in camera.lines],
        [] if camera.ground is None else camera.ground.corners,
    ]
    return hashlib.sha256(json.dumps(drawn).encode()).hexdigest() if any(drawn) else ""
