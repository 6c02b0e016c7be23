"""What a camera has learned of its view, kept over restarts: one small JSON file for each camera and picture size.

Owned by the inference thread, as the scene is. A file has its name only once it is whole. Nothing depends on
it: one that is missing, damaged or not stored costs the learning and is only logged.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from detector.ground import ScaleState
from detector.scene import Scene
from detector.types import Stamp

log = logging.getLogger(__name__)

SAVE_S = 60.0  # between two files; a crash costs what was learned since
_MAX_BYTES = 200_000
_PART = ".part"


class _File(BaseModel):
    """The content of a file."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    version: Literal[1] = 1
    camera_id: str
    width: int
    height: int
    samples: list[tuple[float, float]] = Field(max_length=5000)  # foot y px, height px


class Learned:
    """The memory of one camera's scene."""

    def __init__(self, folder: Path, camera_id: str, scene: Scene, monotonic: Callable[[], float]) -> None:
        self._folder, self._camera_id, self._scene, self._monotonic = folder, camera_id, scene, monotonic
        self._size = (0, 0)  # of the pictures so far
        self._stored: ScaleState | None = None
        self._stored_s = monotonic()
        self._said = ""  # the last complaint, said once

    def before(self, stamp: Stamp) -> None:
        """To be called before each picture: recalls what is known of its size, stores now and then."""
        size = (stamp.width, stamp.height)
        if size != self._size:
            self.save()
            self._size = size
            self._stored = self._load()
            self._scene.recall(self._stored)
        elif self._monotonic() >= self._stored_s + SAVE_S:
            self.save()

    def save(self) -> None:
        """Store what was learned, if it is new."""
        self._stored_s = self._monotonic()
        state = self._scene.learned()
        if state is None or state == self._stored:
            return
        samples = [(round(y, 1), round(h, 1)) for y, h in state.samples]
        content = _File(
            camera_id=self._camera_id, width=state.width, height=state.height, samples=samples
        ).model_dump_json()
        path = self._path((state.width, state.height))
        part = path.with_name(path.name + _PART)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_text(content, "utf-8")
            part.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            self._complain("what was learned is not stored", error.strerror or type(error).__name__)
        else:
            self._stored = state

    def _load(self) -> ScaleState | None:
        try:
            return stored(self._folder, self._camera_id, self._size)
        except (OSError, ValueError) as error:
            self._complain("what was learned cannot be read, it is learned anew", type(error).__name__)
            return None

    def _path(self, size: tuple[int, int]) -> Path:
        return _path_of(self._folder, self._camera_id, size)

    def _complain(self, what: str, got: str) -> None:
        if what + got != self._said:
            log.warning("%s camera_id=%s error=%s", what, self._camera_id, got)
        self._said = what + got


def stored(folder: Path, camera_id: str, size: tuple[int, int]) -> ScaleState | None:
    """What a camera has learned of pictures of this size; None: nothing is kept. Raises OSError, ValueError."""
    try:
        with _path_of(folder, camera_id, size).open("rb") as file:
            told = _File.model_validate_json(file.read(_MAX_BYTES))
    except FileNotFoundError:
        return None
    if (told.camera_id, told.width, told.height) != (camera_id, *size):
        raise ValueError("it is another camera's")
    return ScaleState(told.width, told.height, tuple(told.samples))


def _path_of(folder: Path, camera_id: str, size: tuple[int, int]) -> Path:
    return folder / f"{camera_id}-{size[0]}x{size[1]}.json"
