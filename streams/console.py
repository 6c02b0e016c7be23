"""Configurations made in the console: what is in force on each camera of the site file, and why a version is not.

The file is the base. A version that the rulebook takes is kept on disk, so that a restart goes on with it while
the service is away. One that it refuses changes nothing. A version that no longer fits a changed file gives way
to the file. Owned by the thread that runs the worker; `told` and the site in force are replaced whole, so any
thread may read them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from api.schemas_configuration import Configuration, InForceIn, OrderOut
from api.schemas_what_if import WhatIfOrder
from detector.errors import ConfigError
from streams.checked import section_of
from streams.config import Camera, Site
from streams.kept_tracks import TrackFolder
from streams.places import PlacesSection, configuration_of, places_of, tables_of
from streams.reader import one_line
from streams.rulebook import kinds
from streams.what_if import Trial

log = logging.getLogger(__name__)

_AT = "configuration"
_MAX_BYTES = 4_000_000
_PART = ".part"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What was said to the newest version that came."""

    version: int = 0
    refused: str = ""


class Console:
    """The versions of a site's cameras."""

    def __init__(self, state_dir: Path, tracks: TrackFolder) -> None:
        self.told: Mapping[str, InForceIn] = {}
        self._folder, self._learned, self._tracks = state_dir / "console", state_dir / "learned", tracks
        self._site: Site | None = None  # in force
        self._taken: dict[str, OrderOut | None] = {}  # None: none was ever taken
        self._answers: dict[str, _Answer] = {}
        self._rulebook = kinds()

    def take(self, order: OrderOut, site: Site) -> bool:
        """Answer a version of one of the site's cameras; whether `apply` would change something."""
        camera = next((one for one in site.cameras if one.id == order.camera_id), None)
        if camera is None or self._answers.get(camera.id, _Answer()).version == order.version:
            return False
        try:
            judged(camera, order.configuration)
        except ConfigError as error:
            self._refuse(camera.id, order.version, error)
            self.apply(site)
            return False
        log.info("configuration taken camera_id=%s version=%d", camera.id, order.version)
        self._taken[camera.id] = order
        self._answers[camera.id] = _Answer(order.version)
        self._store(order)
        return True

    def apply(self, site: Site) -> Site:
        """The site with what the console made of its cameras."""
        cameras, told = [], {}
        for base in site.cameras:
            camera, version = self._in_force(base)
            answer = self._answers[base.id]
            told[base.id] = InForceIn(
                base=configuration_of(base.places),
                in_force=configuration_of(camera.places),
                version=version,
                answered=answer.version,
                refused=answer.refused,
                rulebook=self._rulebook,
            )
            cameras.append(camera)
        self._site = site.with_cameras(tuple(cameras))
        self.told = told
        return self._site

    def trial(self, wanted: WhatIfOrder) -> Trial:
        """What is to be tried on the tracks of a camera. Raises ConfigError. For any thread."""
        cameras = self._site.cameras if self._site else ()
        camera = next((one for one in cameras if one.id == wanted.camera_id), None)
        if camera is None:
            raise ConfigError("no such camera on this worker", where=wanted.camera_id)
        rules = judged(camera, wanted.configuration).rules
        places = (self._tracks, self._learned)
        return Trial(camera.id, rules, camera.ground, *places, wanted.since, wanted.until)

    def _in_force(self, base: Camera) -> tuple[Camera, int]:
        if base.id not in self._taken:
            self._taken[base.id] = self._load(base.id)
        order = self._taken[base.id]
        if base.id not in self._answers:
            self._answers[base.id] = _Answer() if order is None else _Answer(order.version)
        if order is None:
            return base, 0
        try:
            return judged(base, order.configuration), order.version
        except ConfigError as error:  # it was right when it was taken: the file has changed since
            if self._answers[base.id].version == order.version:
                self._refuse(base.id, order.version, error)
            return base, 0

    def _refuse(self, camera_id: str, version: int, error: ConfigError) -> None:
        log.error("configuration refused camera_id=%s version=%d error=%s", camera_id, version, error)
        self._answers[camera_id] = _Answer(version, one_line(error.text()))

    def _path(self, camera_id: str) -> Path:
        return self._folder / f"{camera_id}.json"

    def _load(self, camera_id: str) -> OrderOut | None:
        try:
            with self._path(camera_id).open("rb") as file:
                order = OrderOut.model_validate_json(file.read(_MAX_BYTES))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            log.error(
                "the console's configuration cannot be read, the site file alone counts camera_id=%s error=%s",
                camera_id,
                type(error).__name__,
            )
            return None
        return order if order.camera_id == camera_id else None

    def _store(self, order: OrderOut) -> None:
        path = self._path(order.camera_id)
        part = path.with_name(path.name + _PART)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_text(order.model_dump_json(), "utf-8")
            part.replace(path)
        except OSError as error:  # it is in force all the same; after a restart the service tells it again
            log.warning("configuration not kept camera_id=%s error=%s", order.camera_id, error.strerror)


def judged(camera: Camera, configuration: Configuration | None) -> Camera:
    """The camera as a version wants it; None: as it is. Raises ConfigError."""
    if configuration is None:
        return camera
    told = section_of(PlacesSection, tables_of(configuration), _AT)
    return camera.with_places(places_of(told, _AT, camera.timezone, camera.analyse_fps))
