"""The inner loop: the newest pictures of all cameras, one call of the network, each camera's judgement."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from api.schemas import CameraState
from detector.types import Detections
from streams.analysis import Analysis, Run
from streams.flow import Board, Pipe
from streams.frame import Frame
from streams.pairlook import PairLooker

log = logging.getLogger(__name__)

_WAIT_S = 0.2
_RETRY_S = 0.5
_BLIND_STATES = (CameraState.OFFLINE, CameraState.ENDED)


class Detector(Protocol):
    """What the loop needs of a network."""

    def detect(self, pictures: Sequence[Frame]) -> list[Detections]: ...


@dataclass(frozen=True, slots=True)
class Orders:
    """What is judged from now on."""

    analyses: Mapping[str, Analysis]  # by camera id
    run: Run
    reasons: Mapping[str, str] = field(
        default_factory=dict
    )  # camera id -> `end_reason` where one is replaced or gone


class Inference:
    """One thread's work: `run` until every camera has left the board. Cameras come and go by orders."""

    def __init__(
        self,
        board: Board,
        detector: Detector,
        orders: Pipe[Orders],
        state_of: Callable[[str], CameraState],
        *,
        max_batch: int,
        stopping: threading.Event,
    ) -> None:
        self.n_analysed = 0  # all cameras together; other threads may read it
        self.n_obeyed = 0  # orders taken; other threads may read it
        self._board, self._detector, self._orders = board, detector, orders
        self._state_of, self._max_batch, self._stopping = state_of, max_batch, stopping
        self.pairs = PairLooker()  # another may be put in its place before `run`
        self._analyses: Mapping[str, Analysis] = {}
        self._leaving: list[Analysis] = []  # what they have to say is not on disk yet
        self._blind: set[str] = set()  # cameras whose open alerts were closed for want of pictures

    def run(self, stop: threading.Event) -> None:
        """Analyse until the board is done, then close what is open; `stop` leaves pictures unseen."""
        while not self._board.done and not stop.is_set():
            self._obey()
            frames = self._board.take(self._max_batch, _WAIT_S)
            if frames:
                pictures = [frame.for_network for frame in frames]
                self._judge(frames, self._detector.detect(pictures))
            self._close_blind({frame.stamp.camera_id for frame in frames})
        self._obey()
        reason = "service stopped" if self._stopping.is_set() else "source ended"
        for analysis in self._analyses.values():
            analysis.end(reason)
        while not self._stored() and not stop.wait(_RETRY_S):
            pass
        if not self._stored():
            n_lost = sum(analysis.n_unstored for analysis in (*self._analyses.values(), *self._leaving))
            log.critical("the disk does not take what is to be told, it is lost n=%d", n_lost)

    def _judge(self, frames: Sequence[Frame], detections: Sequence[Detections]) -> None:
        """Each camera's judgement, after one look at the skeletons of all their pairs together."""
        watched = []
        for frame, found in zip(frames, detections, strict=True):
            analysis = self._analyses.get(frame.stamp.camera_id)
            if analysis is not None:  # else the camera was removed after this picture was taken
                watched.append((frame, analysis, analysis.track(frame, found)))
        sights = self.pairs.look([(frame, seen) for frame, _, seen in watched])
        for (frame, analysis, seen), pairs in zip(watched, sights, strict=True):
            self._blind.discard(frame.stamp.camera_id)
            analysis.judge(frame, seen, pairs)
            self.n_analysed += 1

    def _obey(self) -> None:
        """Take the orders that have come, and let go of what has nothing more to say."""
        while len(self._orders) and (orders := self._orders.get(0.0)) is not None:
            for camera_id, analysis in self._analyses.items():
                if orders.analyses.get(camera_id) is analysis:
                    analysis.follow(orders.run)
                else:
                    analysis.end(orders.reasons[camera_id])
                    self._leaving.append(analysis)
                    self._blind.discard(camera_id)
            self._analyses = orders.analyses
            self.n_obeyed += 1
        for analysis in list(self._leaving):
            if analysis.store():
                analysis.retired = True
                self._leaving.remove(analysis)

    def _stored(self) -> bool:
        refused = [one for one in (*self._analyses.values(), *self._leaving) if not one.store()]
        return not refused

    def _close_blind(self, seen: set[str]) -> None:
        """A camera that gives no pictures cannot keep an alert open: silence is no gathering."""
        for camera_id, analysis in self._analyses.items():
            analysis.watch()
            state = self._state_of(camera_id)  # asked first: what was put before a state is then on the board
            if camera_id in seen or self._board.holds(camera_id):
                continue
            if state in _BLIND_STATES and camera_id not in self._blind:
                self._blind.add(camera_id)
                ended = "service stopped" if self._stopping.is_set() else "source ended"
                analysis.interrupt(ended if state is CameraState.ENDED else "stream interrupted")
            else:
                analysis.store()
