"""One camera's judgement turned into rows of the outbox: the alert first, then its evidence.

Owned by the inference thread. What the disk refuses waits here in its order and is tried again: an alert is
never dropped because the disk is full.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from uuid import UUID

from api.schemas import AlertIn, MediaKind, Provenance, Stages
from detector.errors import StorageError
from detector.scene import Scene
from detector.types import Alert, Detections, Phase, Stamp
from streams.config import Camera
from streams.evidence import Folder, OverlayHistory
from streams.flow import Pipe
from streams.frame import Frame
from streams.outbox import Outbox
from streams.recorder import ClipRequest

log = logging.getLogger(__name__)

PRE_S = 5.0  # of the clip, before the condition began
POST_S = 20.0  # of the clip, after the alert was opened
MAX_LEAD_S = 60.0  # the longest a clip begins before its alert
_SLACK_S = 15.0  # how far the analysis may lag behind the newest packet
_MAX_GAP_S = 2.0  # pictures further apart than this (and than two periods) leave a hole in the coverage


def now_utc() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@cache
def software() -> str:
    """Name and version of what runs; a checkout that was never installed has none."""
    try:
        return f"watchpost {version('watchpost')}"
    except PackageNotFoundError:
        return "watchpost, not installed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What all alerts of one run of a worker have in common."""

    run_id: UUID
    network: str
    model_sha256: str
    provider: str
    config_hash: str

    def provenance(self, alert: Alert, mask_version: str) -> Provenance:
        """What exactly produced this alert."""
        return Provenance(
            run_id=self.run_id,
            network=self.network,
            model_sha256=self.model_sha256,
            provider=self.provider,
            rule_version=alert.rule_version,
            params=dict(alert.params),
            config_hash=self.config_hash,
            software=software(),
            mask_version=mask_version,
        )


@dataclass(frozen=True, slots=True)
class Desk:
    """Where an analysis puts what it has to say."""

    outbox: Outbox
    folder: Folder
    requests: Pipe[ClipRequest]  # to the camera's recorder
    abandon: threading.Event  # set: waiting for room in a pipe is over
    now: Callable[[], datetime] = now_utc


@dataclass(slots=True)
class Counts:
    """What the health report tells of a camera's analysis. Plain numbers: other threads may read them."""

    n_analysed: int = 0
    n_people: int = 0
    covered_s: float = 0.0  # stream seconds during which pictures were analysed


@dataclass(frozen=True, slots=True)
class _DueOverlay:
    alert_id: UUID
    epoch: int
    from_t: float
    until_t: float


class Analysis:
    """One camera: pictures and detections in, outbox rows out."""

    def __init__(self, camera: Camera, run: Run, desk: Desk) -> None:
        self.counts = Counts()
        self.newest: Frame | None = None  # the last analysed picture; other threads may read it
        self._camera, self._run, self._desk = camera, run, desk
        self._scene = Scene(camera.id, run.run_id, camera.build_rules())
        self._history = OverlayHistory(keep_s(camera))
        self._overlays: list[_DueOverlay] = []
        self._todo: deque[Callable[[], None]] = deque()  # in the order in which the API is to learn it
        self._refused = ""  # the disk's last refusal, said once

    def step(self, frame: Frame, detections: Detections) -> None:
        """Judge one picture."""
        self._count(frame.stamp)
        self.newest = frame
        judgement = self._scene.step(frame.stamp, detections)
        self.counts.n_people = len(judgement.tracks)
        judged_at = self._desk.now()
        self._history.add(frame.stamp, judgement.tracks)
        for alert in judgement.alerts:
            self._put(alert, judged_at)
            if alert.phase is Phase.OPENED:
                self.store()  # the alert is on its way while its picture is still being made
                self._ask_evidence(alert, frame)
        self._finish_overlays(frame.stamp.epoch, frame.stamp.t)
        self.store()

    def interrupt(self, reason: str) -> None:
        """No more pictures for now: close what is open, with this `end_reason`, and write what is due."""
        judged_at = self._desk.now()
        for alert in self._scene.end(reason):
            self._put(alert, judged_at)
        self._finish_overlays(None, 0.0)
        self.counts.n_people = 0
        self.store()

    def store(self) -> bool:
        """Write what waits. False: the disk refused and it still waits."""
        while self._todo:
            try:
                self._todo[0]()
            except StorageError as error:
                if str(error) != self._refused:
                    log.error(
                        "alerts wait for the disk camera_id=%s n=%d error=%s",
                        self._camera.id,
                        len(self._todo),
                        error,
                    )
                self._refused = str(error)
                return False
            self._todo.popleft()
        self._refused = ""
        return True

    @property
    def n_unstored(self) -> int:
        """Rows that the disk has refused so far."""
        return len(self._todo)

    def _count(self, stamp: Stamp) -> None:
        counts, last = self.counts, self.newest
        counts.n_analysed += 1
        if last is not None and last.stamp.epoch == stamp.epoch:
            step_s = stamp.t - last.stamp.t
            if step_s <= max(_MAX_GAP_S, 2.0 / self._camera.analyse_fps):
                counts.covered_s += step_s

    def _put(self, alert: Alert, judged_at: datetime) -> None:
        log.info(
            "alert camera_id=%s rule=%s zone=%s phase=%s severity=%s t=%.1f alert_id=%s",
            alert.camera_id, alert.rule, alert.zone, alert.phase.value, alert.severity.value, alert.t,
            alert.alert_id,
        )  # fmt: skip
        provenance = self._run.provenance(alert, self._camera.masks.version)
        now = self._desk.now

        def put() -> None:
            stages = Stages(captured_at=alert.at, judged_at=judged_at, stored_at=now())
            self._desk.outbox.put_alert(AlertIn.of(alert, provenance, stages))

        self._todo.append(put)

    def _ask_evidence(self, alert: Alert, frame: Frame) -> None:
        stamp = frame.stamp
        from_t = max(alert.started_t - PRE_S, alert.t - MAX_LEAD_S)
        until_t = alert.t + POST_S
        picture = frame.jpeg()
        self._todo.append(partial(self._write, alert.alert_id, MediaKind.SNAPSHOT, picture))
        self._overlays.append(_DueOverlay(alert.alert_id, stamp.epoch, from_t, until_t))
        # Behind its alert in the row, so that the API never hears of a clip before it has heard of its alert.
        request = ClipRequest(
            alert.alert_id, self._camera.id, stamp.epoch, from_t, until_t, self._camera.masks
        )
        self._todo.append(partial(self._request, request))

    def _request(self, request: ClipRequest) -> None:
        self._desk.requests.put(request, self._desk.abandon)

    def _finish_overlays(self, epoch: int | None, t: float) -> None:
        """Write the overlays whose time is over; `epoch` None: all of them."""
        for due in list(self._overlays):
            if due.epoch != epoch or t >= due.until_t:
                self._overlays.remove(due)
                doc = self._history.doc(due.epoch, due.from_t, due.until_t).model_dump_json().encode()
                self._todo.append(partial(self._write, due.alert_id, MediaKind.OVERLAY, doc))

    def _write(self, alert_id: UUID, kind: MediaKind, content: bytes) -> None:
        try:
            path = self._desk.folder.write(alert_id, kind, content)
        except StorageError as error:
            log.warning("no %s alert_id=%s error=%s", kind.value, alert_id, error)
            reason = f"{error.what}: {error.got}" if error.got else error.what
            self._desk.outbox.put_missing(alert_id, kind, reason)
        else:
            self._desk.outbox.put_media(alert_id, kind, path)


def keep_s(camera: Camera) -> float:
    """How many seconds of a camera must be remembered so that a clip can begin where it should."""
    hold_s = max((rule.timing.hold_s + rule.timing.gap_s for rule in camera.build_rules()), default=0.0)
    return min(PRE_S + hold_s, MAX_LEAD_S) + POST_S + _SLACK_S
