"""The worker's pulse: what cameras there are, how they are, and a small picture of each. Best effort.

Nothing here is an alert, so nothing goes through the outbox: what the API missed is said at the next beat.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from api.schemas import CameraHealthIn, CameraIn, CameraState, HeartbeatIn, RuleOut, WorkerDisk, ZoneOut
from detector.errors import AlertRefused, DeliveryError, StorageError, Trouble
from streams.analysis import Analysis, now_utc
from streams.config import Camera
from streams.courier import send
from streams.evidence import Folder, tile
from streams.flow import Board
from streams.outbox import Outbox
from streams.reader import CameraHealth, Reader, one_line
from streams.recorder import Recorder

log = logging.getLogger(__name__)

BEAT_S = 2.0
PICTURE_S = 6.0
_SOON_S = 0.5  # after a beat, a camera's change of state brings the next one
_SKIP_BEATS = 5  # after a failure, so that an API that is down is not asked all the time


@dataclass(slots=True)
class Watched:
    """A camera with the parts that know how it is."""

    camera: Camera
    reader: Reader
    analysis: Analysis
    recorder: Recorder
    started_s: float = field(default_factory=time.monotonic)
    told_size: tuple[int, int] | None = None  # as last registered
    told_picture: tuple[int, float] | None = None  # index and moment of the picture last sent


@dataclass(frozen=True, slots=True)
class Parts:
    """Whom the pulse and the metrics ask."""

    census: Callable[[], Census]
    board: Board
    outbox: Outbox
    folder: Folder


@dataclass(frozen=True, slots=True)
class Census:
    """Which cameras there are. A new one takes its place when that changes, so any thread may read it."""

    watched: Mapping[str, Watched]
    rejected: Mapping[str, str] = field(default_factory=dict)  # camera id -> what is wrong in the site file
    removed: frozenset[str] = frozenset()  # camera ids that were watched, and are not wanted any more
    leaving: Mapping[str, Watched] = field(default_factory=dict)  # not wanted any more, and not yet let go

    @property
    def there(self) -> Mapping[str, Watched]:
        """Every camera that has parts."""
        return {**self.leaving, **self.watched}


class Pulse:
    """One thread's work: `run` until stopped."""

    def __init__(
        self,
        worker_id: str,
        client: httpx.Client,
        parts: Parts,
        now: Callable[[], datetime] = now_utc,
    ) -> None:
        self._worker_id, self._client, self._parts, self._now = worker_id, client, parts, now
        self._down = ""
        self._told_removed: frozenset[str] = frozenset()
        self._changed = False  # since the last beat; set by the cameras' threads

    def note(self, health: CameraHealth) -> None:
        """A camera's state changed: it is told soon. May be called from any thread."""
        del health
        self._changed = True

    def run(self, stop: threading.Event) -> None:
        """Beat until `stop`, and once more at the end, so that the API knows the last state."""
        while not stop.is_set():
            self._changed = False
            wait_s = BEAT_S if self.beat() else BEAT_S * _SKIP_BEATS
            while not stop.wait(_SOON_S):
                wait_s -= _SOON_S
                if wait_s <= 0.0 or (self._changed and not self._down):
                    break
        self.beat()

    def beat(self) -> bool:
        """Register what is new, send a heartbeat and the pictures that are due. False: not taken."""
        census = self._parts.census()
        try:
            for watched in census.watched.values():
                self._register(watched)
            self._send("POST", "heartbeat", self._heartbeat(census).model_dump_json())
            self._told_removed = census.removed - census.leaving.keys()
            for watched in census.watched.values():
                self._send_picture(watched)
        except (DeliveryError, StorageError) as error:
            if not self._down:
                log.warning("heartbeat not taken error=%s", error)
            self._down = str(error)
            for watched in census.watched.values():
                watched.told_size = None  # an API that was away is told everything again
            self._told_removed = frozenset()
            return False
        self._down = ""
        return True

    def _register(self, watched: Watched) -> None:
        health = watched.reader.health
        size = (health.width, health.height)
        if watched.told_size == size:
            return
        told = describe(watched.camera, health)
        try:
            self._send("PUT", f"cameras/{watched.camera.id}", told.model_dump_json())
        except AlertRefused as error:  # one camera's name must not keep the others' pulse from being told
            log.error("camera refused camera_id=%s error=%s", watched.camera.id, error)
        watched.told_size = size

    def _heartbeat(self, census: Census) -> HeartbeatIn:
        dropped, outbox = self._parts.board.dropped, self._parts.outbox
        cameras = [
            health_of(watched, dropped.get(camera_id, 0), census.rejected.get(camera_id, ""))
            for camera_id, watched in census.watched.items()
        ]
        cameras += [_stopping(health_of(one, dropped.get(key, 0))) for key, one in census.leaving.items()]
        wrong = census.rejected.keys() - census.there.keys()
        cameras += [
            _unwatched(one, CameraState.OFFLINE, f"site file: {census.rejected[one]}", Trouble.MISCONFIGURED)
            for one in sorted(wrong)
        ]
        gone = census.removed - self._told_removed - census.leaving.keys()
        cameras += [
            _unwatched(one, CameraState.REMOVED, "no longer in the site file") for one in sorted(gone)
        ]
        return HeartbeatIn(
            worker_id=self._worker_id,
            at=self._now(),
            n_outbox=outbox.n_waiting,
            n_refused=outbox.n_refused,
            disk=disk_of(self._parts.folder),
            cameras=cameras,
        )

    def _send_picture(self, watched: Watched) -> None:
        frame, now_s = watched.analysis.newest, time.monotonic()
        if frame is None:
            return
        told = watched.told_picture
        if told is None or (told[0] != frame.stamp.index and now_s - told[1] >= PICTURE_S):
            headers = {"Content-Type": "image/jpeg"}
            url = f"cameras/{watched.camera.id}/picture"
            send(self._client, self._client.build_request("PUT", url, content=tile(frame), headers=headers))
            watched.told_picture = (frame.stamp.index, now_s)

    def _send(self, method: str, url: str, body: str) -> None:
        headers = {"Content-Type": "application/json"}
        send(self._client, self._client.build_request(method, url, content=body.encode(), headers=headers))


def disk_of(folder: Folder) -> WorkerDisk | None:
    """How the worker's disk is; None: it does not answer."""
    try:
        room = folder.room
    except StorageError:
        return None
    return WorkerDisk(free_bytes=room.free, total_bytes=room.total, full=not room.takes(0))


def describe(camera: Camera, health: CameraHealth) -> CameraIn:
    """What the API may know of a camera: no address, no login."""
    return CameraIn(
        camera_id=camera.id,
        name=camera.name,
        timezone=camera.timezone,
        width=health.width,
        height=health.height,
        zones=[
            *(ZoneOut(name=zone.name, polygon=list(zone.polygon)) for zone in camera.zones),
            *(ZoneOut(name=line.name, polygon=list(line.points)) for line in camera.lines),
        ],
        rules=[
            RuleOut(rule=rule.name, zone=rule.zone, params=dict(rule.params)) for rule in camera.build_rules()
        ],
    )


def health_of(watched: Watched, n_dropped: int, wrong: str = "") -> CameraHealthIn:
    """One camera's pulse. Coverage: analysed by elapsed seconds, of a file by the seconds it has given.

    `wrong`: what the site file has wrong about it, while it is watched as before.
    """
    health, counts = watched.reader.health, watched.analysis.counts
    state, trouble, why = health.state, health.trouble, health.reason
    if state is CameraState.ONLINE and watched.analysis.frozen:
        state, trouble, why = CameraState.OFFLINE, Trouble.FROZEN, "the picture stands still"
    reason = "; ".join(filter(None, (why, watched.analysis.warning)))
    camera, elapsed_s = watched.camera, time.monotonic() - watched.started_s
    if not camera.address.live and (camera.pace == "fast" or health.state is CameraState.ENDED):
        elapsed_s = health.t
    return CameraHealthIn(
        camera_id=watched.camera.id,
        state=state,
        trouble=trouble,
        reason=one_line(f"{reason} (watched as before; site file: {wrong})".strip() if wrong else reason),
        n_decoded=health.n_decoded,
        n_analysed=counts.n_analysed,
        n_dropped=n_dropped,
        coverage=min(1.0, counts.covered_s / elapsed_s) if elapsed_s > 0 else 0.0,
        n_people=counts.n_people,
    )


def _stopping(health: CameraHealthIn) -> CameraHealthIn:
    """The pulse of a camera on its way out, whether its reader has noticed yet or not."""
    if health.state is CameraState.ENDED:
        return health
    return health.model_copy(update={"state": CameraState.STOPPING})


def _unwatched(
    camera_id: str, state: CameraState, reason: str, trouble: Trouble = Trouble.NONE
) -> CameraHealthIn:
    """The pulse of a camera that nobody looks at, and why."""
    return CameraHealthIn(
        camera_id=camera_id,
        state=state,
        reason=one_line(reason),
        trouble=trouble,
        n_decoded=0,
        n_analysed=0,
        n_dropped=0,
        coverage=0.0,
        n_people=0,
    )
