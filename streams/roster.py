"""Which cameras are watched. Owned by the thread that runs the worker; the others are told by messages.

A camera comes: it is built, inference is told of it, and its reader starts once inference knows. A camera goes:
its reader is asked to stop and inference to close what is open; when both are done its requests are closed, its
thread ends, and all it held is let go. Only then may another camera start under the same id. A change of zones,
rules and calibration alone is a new analysis on the same pictures.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from streams.analysis import Run, keep_s
from streams.config import Camera, Site
from streams.flow import Board, Pipe, Stage
from streams.health import Census, Watched
from streams.inference import Orders
from streams.recorder import ClipRequest

log = logging.getLogger(__name__)

REMOVED, CHANGED, RULES_CHANGED = "camera removed", "camera changed", "rules changed"  # as `end_reason`


@dataclass(slots=True)
class Lookout:
    """One camera with all its parts."""

    watched: Watched
    requests: Pipe[ClipRequest]
    stage: Stage
    from_order: int = 0  # the number of the orders that first name it
    started: bool = False

    @property
    def camera(self) -> Camera:
        """As it is watched now."""
        return self.watched.camera


class Roster:
    """The lookouts there are, those on their way out, and the cameras that wait for one of these."""

    def __init__(
        self,
        build: Callable[[Camera], Lookout],
        orders: Pipe[Orders],
        board: Board,
        abandon: threading.Event,
    ) -> None:
        self.census = Census({})  # for any thread
        self._build, self._orders, self._board, self._abandon = build, orders, board, abandon
        self._lookouts: dict[str, Lookout] = {}
        self._leaving: list[Lookout] = []
        self._due: dict[str, Camera] = {}
        self._run: Run | None = None
        self._n_orders = 0

    def apply(self, site: Site, run: Run) -> None:
        """Watch the cameras of this site from now on; what is the same there goes on untouched."""
        self._run = run
        wanted = {camera.id: camera for camera in site.cameras}
        known = self._lookouts.keys() | self._due.keys() | self.census.removed
        reasons = {
            camera_id: reason
            for camera_id, lookout in list(self._lookouts.items())
            if (reason := self._change(lookout, wanted.get(camera_id)))
        }
        self._due = {camera_id: one for camera_id, one in wanted.items() if camera_id not in self._lookouts}
        rejected = {one.camera_id: one.text for one in site.rejected if one.camera_id}
        removed = frozenset(known - wanted.keys() - rejected.keys())
        self.census = replace(self.census, rejected=rejected, removed=removed)
        self._order(reasons)
        self._build_due()

    def look(self, n_obeyed: int) -> None:
        """Go on with what has begun. `n_obeyed`: how many orders inference has taken."""
        for lookout in list(self._leaving):
            if lookout.watched.analysis.retired:
                lookout.requests.close()
                if not lookout.stage.running:
                    self._leaving.remove(lookout)
                    self._tell_leaving()
                    self._board.forget(lookout.camera.id)
                    log.info("camera let go camera_id=%s", lookout.camera.id)
        self._build_due()
        for lookout in self._lookouts.values():
            if not lookout.started and n_obeyed >= lookout.from_order:
                lookout.started = True
                lookout.stage.start()

    @property
    def running(self) -> bool:
        """Whether a camera is being read, or will be."""
        return bool(self._due) or any(one.stage.running or not one.started for one in self._all())

    @property
    def stages(self) -> list[Stage]:
        """The threads of all cameras."""
        return [lookout.stage for lookout in self._all()]

    def close_requests(self) -> None:
        """No camera will be asked for a clip any more."""
        for lookout in self._all():
            lookout.requests.close()

    def stop_reading(self) -> None:
        """Ask every reader to end; does not wait."""
        self._due.clear()
        for lookout in self._all():
            lookout.stage.stop(0.0)
            if not lookout.started:
                self._board.leave(lookout.camera.id)

    def _all(self) -> Iterator[Lookout]:
        yield from self._lookouts.values()
        yield from self._leaving

    def _change(self, lookout: Lookout, camera: Camera | None) -> str:
        """Make a lookout what the camera is to be; returns why what is open is closed, "" where it is not."""
        before, watched = lookout.camera, lookout.watched
        if camera == before:
            return ""
        if camera is None or not _same_pictures(before, camera):
            reason = REMOVED if camera is None else CHANGED
            log.info("%s camera_id=%s", reason, before.id)
            del self._lookouts[before.id]
            self._leaving.append(lookout)
            lookout.stage.stop(0.0)
            return reason
        if _judged_by(before) == _judged_by(camera):
            lookout.watched = replace(watched, camera=camera, told_size=None)
            return ""
        log.info("%s camera_id=%s", RULES_CHANGED, before.id)
        assert self._run is not None
        analysis = watched.analysis.renewed(camera, self._run)
        lookout.watched = Watched(camera, watched.reader, analysis, watched.recorder)
        return RULES_CHANGED

    def _build_due(self) -> None:
        taken = {lookout.camera.id for lookout in self._leaving}
        ready = [camera_id for camera_id in self._due if camera_id not in taken]
        for camera_id in ready:
            lookout = self._build(self._due.pop(camera_id))
            lookout.from_order = self._n_orders + 1
            self._lookouts[camera_id] = lookout
            log.info("camera added camera_id=%s", camera_id)
        if ready:
            self._order({})

    def _tell_leaving(self) -> None:
        leaving = {lookout.camera.id: lookout.watched for lookout in self._leaving}
        self.census = replace(self.census, leaving=leaving)

    def _order(self, reasons: dict[str, str]) -> None:
        assert self._run is not None
        watched = {camera_id: lookout.watched for camera_id, lookout in self._lookouts.items()}
        self.census = replace(self.census, watched=watched)
        self._tell_leaving()
        analyses = {camera_id: one.analysis for camera_id, one in watched.items()}
        self._n_orders += 1
        self._orders.put(Orders(analyses, self._run, reasons), self._abandon)


def _judged_by(camera: Camera) -> tuple[object, ...]:
    """What a change of begins the judging anew."""
    return camera.zones, camera.lines, camera.rules, camera.blind, camera.ground


def _same_pictures(before: Camera, after: Camera) -> bool:
    """Whether only what is said and judged of the pictures differs, and enough of them are kept for clips."""
    told = replace(
        before,
        name=after.name,
        timezone=after.timezone,
        zones=after.zones,
        lines=after.lines,
        rules=after.rules,
        blind=after.blind,
        ground=after.ground,
    )
    return told == after and keep_s(after) <= keep_s(before)
