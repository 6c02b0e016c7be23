"""One camera's judgement turned into rows of the outbox: the alert first, then its evidence.

Owned by the inference thread. What the disk refuses waits here in its order and is tried again: no beginning
and no end of an alert is dropped because the disk is full. While much waits, pictures and changes do not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from uuid import UUID

from api.schemas import AlertIn, CameraState, MediaKind, Provenance, Stages
from detector.errors import StorageError
from detector.pairs import PairSight
from detector.rules.base import Rule
from detector.rules.blind import Kind, Link, Sentinel, Sight
from detector.rules.handoff import LEAST_PX, Handoff, HandoffCounts
from detector.rules.scheduled import Scheduled
from detector.scene import Scene, Watched
from detector.types import Alert, Detections, Phase, Stamp
from streams.aftermath import Follows
from streams.config import Camera
from streams.drawn import Drawn
from streams.evidence import NOT_STORED, Folder, OverlayHistory
from streams.flow import Pipe
from streams.frame import Frame
from streams.kept_tracks import Keeper, TrackFolder
from streams.learned import Learned
from streams.outbox import Outbox
from streams.reader import CameraHealth
from streams.recorder import ClipRequest
from streams.sight import Eye
from streams.tracks_file import Origin

log = logging.getLogger(__name__)

PRE_S = 5.0  # of the clip, before the condition began
POST_S = 20.0  # of the clip, after the alert was opened
MAX_LEAD_S = 60.0  # the longest a clip begins before its alert
_MANY = 50  # rows that wait for the disk: from then on nothing large is kept in memory
_SLACK_S = 15.0  # how far the analysis may lag behind the newest packet
_BURST_S = 2.0  # a close pair is looked at more often for this long after it was last seen
_LOOK_S = 1.0  # how often a camera's state is looked at while no picture of it is judged
_NO_FAULT = (CameraState.ONLINE, CameraState.STOPPING, CameraState.ENDED)  # an end that was wished for
_UNKNOWN_VIEW = (Kind.MOVED,)  # clear, but not usual
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
    follows: Follows = field(default_factory=Follows)

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
    monotonic: Callable[[], float] = time.monotonic
    burst: Callable[[float], None] = lambda _: None  # asks the camera for more pictures until then
    learned: Path | None = None  # folder of what cameras learn of their views; None: nothing is kept
    tracks: TrackFolder | None = None  # None: none are kept


@dataclass(slots=True)
class Counts:
    """What the health report tells of a camera's analysis. Plain numbers: other threads may read them."""

    n_analysed: int = 0
    n_people: int = 0
    covered_s: float = 0.0  # stream seconds during which pictures were analysed
    n_pairs: int = 0  # close pairs in the newest picture
    n_pairs_left_out: int = 0  # close pairs over the bound, picture by picture
    handoffs: Sequence[HandoffCounts] = ()  # of the camera's hand-off rules


@dataclass(frozen=True, slots=True)
class _DueOverlay:
    alert_id: UUID
    epoch: int
    from_t: float
    until_t: float


class Analysis:
    """One camera: pictures and detections in, outbox rows out."""

    def __init__(self, camera: Camera, run: Run, desk: Desk, health: Callable[[], CameraHealth]) -> None:
        """`health` tells how the camera's reader is; it may be called from any thread."""
        rules = camera.build_rules()
        self.counts = Counts(handoffs=_handoffs(rules))
        self.newest: Frame | None = None  # the last analysed picture; other threads may read it
        self.retired = False  # set once nothing more comes of it; other threads may read it
        self._camera, self._run, self._desk = camera, run, desk
        self._scene = Scene(camera.id, run.run_id, rules, calibration=camera.ground)
        self._learned = desk.learned and Learned(desk.learned, camera.id, self._scene, desk.monotonic)
        self._drawn = desk.learned and Drawn(desk.learned, camera)
        self._keeper = desk.tracks and Keeper(desk.tracks, _origin(camera, run), desk.monotonic)
        self._health = health
        self._sentinel = Sentinel(run.run_id, camera.id, camera.blind)
        self._eye = Eye()
        self._sight: Sight | None = None  # of the newest look; None: that is too long ago
        # When this camera was last judged, last had a stream, and was last looked at: monotonic seconds.
        self._started_s = self._judged_s = self._linked_s = self._looked_s = desk.monotonic()
        self._history = OverlayHistory(keep_s(camera))
        self._overlays: list[_DueOverlay] = []
        self._todo: deque[Callable[[], object]] = deque()  # in the order in which the API is to learn it
        self._refused = ""  # the disk's last refusal, said once

    def renewed(self, camera: Camera, run: Run) -> Analysis:
        """One that begins anew, on the same pictures, with the camera's new zones and rules."""
        return Analysis(camera, run, self._desk, self._health)

    def follow(self, run: Run) -> None:
        """From now on alerts tell this configuration; the run goes on, since tracks and alerts do."""
        self._run = replace(self._run, config_hash=run.config_hash)

    @property
    def frozen(self) -> bool:
        """Whether its picture stands still, though pictures come; may be read from any thread."""
        return self._sentinel.found is Kind.FROZEN

    @property
    def warning(self) -> str:
        """What a person should look at, though the camera is watched; may be read from any thread."""
        return self._drawn.warning if self._drawn else ""

    def step(self, frame: Frame, detections: Detections) -> None:
        """Judge one picture without a look at pairs."""
        self.judge(frame, self.track(frame, detections))

    def track(self, frame: Frame, detections: Detections) -> Watched:
        """See who is where, and which pairs deserve a look; `judge` comes next."""
        if self._learned:
            self._learned.before(frame.stamp)
        if self._drawn:
            self._drawn.look(frame.stamp)
        return self._scene.track(frame.stamp, detections)

    def judge(self, frame: Frame, watched: Watched, pairs: Sequence[PairSight] = ()) -> None:
        """Judge what `track` gave of this picture, with what was seen of its pairs."""
        self._count(frame.stamp)
        self.newest = frame
        self.counts.n_pairs = len(watched.proposed.pairs)
        self.counts.n_pairs_left_out += watched.proposed.n_left_out
        if any(pair.body_px >= LEAST_PX for pair in watched.proposed.pairs):  # else nobody looks at them
            self._desk.burst(frame.stamp.t + _BURST_S)
        judgement = self._scene.judge(watched, pairs)
        self.counts.n_people = len(judgement.tracks)
        judged_at = self._desk.now()
        self._history.add(frame.stamp, judgement.tracks, pairs)
        if self._keeper:
            self._keeper.add(frame.stamp, judgement.tracks)
        self._tell(judgement.alerts, judged_at)
        self._judged_s = self._linked_s = self._desk.monotonic()
        if (sight := self._eye.look(frame)) is not None:
            self._sight = sight
            self._tell(self._sentinel.step(frame.stamp, Link(), sight), judged_at)
            found = self._sentinel.found
            self._eye.learn(clear=found in (None, *_UNKNOWN_VIEW), usual=found is None)
        self._finish_overlays(frame.stamp.epoch, frame.stamp.t)
        self.store()

    def watch(self) -> None:
        """Look at the camera itself, pictures or not: whether it has gone blind. Called several times a second."""
        now_s, health = self._desk.monotonic(), self._health()
        if health.state in _NO_FAULT:
            self._linked_s = now_s
        if health.state is not CameraState.ONLINE:
            self._judged_s = now_s
        if now_s < max(self._looked_s, self._judged_s) + _LOOK_S and health.state is CameraState.ONLINE:
            return
        if now_s < self._looked_s + _LOOK_S:
            return
        self._looked_s = now_s
        usual_s = 2.0 / self._camera.analyse_fps
        link = Link(offline_s=now_s - self._linked_s, unjudged_s=max(0.0, now_s - self._judged_s - usual_s))
        if health.state is not CameraState.ONLINE or link.unjudged_s > self._camera.blind.hold_s / 2:
            self._sight = None
        # Of a camera that is judged seldom: what it showed last is true until its next picture.
        self._tell(self._sentinel.step(self._stamp(), link, self._sight), self._desk.now())
        if health.state is not CameraState.ONLINE:
            self._finish_overlays(None, 0.0)  # there is no more to come for them

    def interrupt(self, reason: str) -> None:
        """No more pictures for now: close what is open, with this `end_reason`, and write what is due."""
        self._tell(self._scene.end(reason), self._desk.now())
        self._finish_overlays(None, 0.0)
        self.counts.n_people = self.counts.n_pairs = 0
        if self._learned:
            self._learned.save()
        if self._keeper:
            self._keeper.flush()
        self.store()

    def end(self, reason: str) -> None:
        """The camera is not watched any more: close all, blindness too."""
        self.interrupt(reason)
        self._tell(self._sentinel.end(reason), self._desk.now())
        self._finish_overlays(None, 0.0)
        self.store()

    def _tell(self, alerts: list[Alert], judged_at: datetime) -> None:
        for alert in alerts:
            if alert.phase is Phase.UPDATED and len(self._todo) >= _MANY:
                continue  # its end will say all that is known by then
            self._put(alert, judged_at)
            if alert.phase is Phase.OPENED:
                self.store()  # the alert is on its way while its picture is still being made
                self._ask_evidence(alert)

    def _stamp(self) -> Stamp:
        """A moment without a picture: stream time as it runs on from the last one."""
        last, now = self.newest, self._desk.now()
        if last is None:
            return Stamp(self._camera.id, 0, 0, self._desk.monotonic() - self._started_s, now, 0, 0)
        t = last.stamp.t + max(0.0, (now - last.stamp.at).total_seconds())
        return replace(last.stamp, t=t, at=now)

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
        alert = self._run.follows.mark(alert)
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

    def _ask_evidence(self, alert: Alert) -> None:
        """The newest judged picture, and what was around it; of a camera that gives none, the last it gave."""
        frame = self.newest
        if frame is None:
            for kind in MediaKind:
                self._todo.append(
                    partial(self._desk.outbox.put_missing, alert.alert_id, kind, "no picture has come yet")
                )
            return
        stamp = frame.stamp
        started_t = min(alert.started_t, stamp.t)
        from_t = max(started_t - PRE_S, min(alert.t, stamp.t) - MAX_LEAD_S)
        until_t = min(alert.t, stamp.t) + POST_S
        self._keep(alert.alert_id, MediaKind.SNAPSHOT, frame.jpeg())
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
                self._keep(due.alert_id, MediaKind.OVERLAY, doc)

    def _keep(self, alert_id: UUID, kind: MediaKind, content: bytes) -> None:
        if len(self._todo) < _MANY:
            self._todo.append(partial(self._write, alert_id, kind, content))
        else:
            self._todo.append(partial(self._desk.outbox.put_missing, alert_id, kind, NOT_STORED))

    def _write(self, alert_id: UUID, kind: MediaKind, content: bytes) -> None:
        try:
            path = self._desk.folder.write(alert_id, kind, content)
        except StorageError as error:
            log.warning(
                "no %s camera_id=%s alert_id=%s error=%s", kind.value, self._camera.id, alert_id, error
            )
            reason = f"{error.what}: {error.got}" if error.got else error.what
            self._desk.outbox.put_missing(alert_id, kind, reason)
        else:
            self._desk.outbox.put_media(alert_id, kind, path)


def _origin(camera: Camera, run: Run) -> Origin:
    """What kept tracks are made of and by; `run` is the one in which their ids mean something."""
    source = {"file": camera.id, "sha256": "", "run_id": str(run.run_id)}
    return Origin(source, run.network, run.model_sha256, run.provider, 0, 0)


def _handoffs(rules: Sequence[Rule]) -> list[HandoffCounts]:
    """What each hand-off rule counts, whatever its terms."""
    plain = [rule.within if isinstance(rule, Scheduled) else rule for rule in rules]
    return [rule.counts for rule in plain if isinstance(rule, Handoff)]


def keep_s(camera: Camera) -> float:
    """How many seconds of a camera must be remembered so that a clip can begin where it should."""
    hold_s = max((rule.timing.hold_s + rule.timing.gap_s for rule in camera.build_rules()), default=0.0)
    return min(PRE_S + hold_s, MAX_LEAD_S) + POST_S + _SLACK_S
