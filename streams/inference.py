"""The inner loop: the newest pictures of all cameras, one call of the network, each camera's judgement."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from api.schemas import CameraState
from detector.types import Detections
from streams.analysis import Analysis
from streams.flow import Board
from streams.frame import Frame

log = logging.getLogger(__name__)

_WAIT_S = 0.2
_RETRY_S = 0.5
_BLIND_STATES = (CameraState.OFFLINE, CameraState.ENDED)


class Detector(Protocol):
    """What the loop needs of a network."""

    def detect(self, pictures: Sequence[Frame]) -> list[Detections]: ...


class Inference:
    """One thread's work: `run` until every camera has left the board."""

    def __init__(
        self,
        board: Board,
        detector: Detector,
        analyses: Mapping[str, Analysis],
        state_of: Callable[[str], CameraState],
        *,
        max_batch: int,
        stopping: threading.Event,
    ) -> None:
        self._board, self._detector, self._analyses = board, detector, analyses
        self._state_of, self._max_batch, self._stopping = state_of, max_batch, stopping
        self._blind: set[str] = set()  # cameras whose open alerts were closed for want of pictures

    def run(self, stop: threading.Event) -> None:
        """Analyse until the board is done, then close what is open; `stop` leaves pictures unseen."""
        while not self._board.done and not stop.is_set():
            frames = self._board.take(self._max_batch, _WAIT_S)
            if frames:
                pictures = [frame.for_network for frame in frames]
                for frame, detections in zip(frames, self._detector.detect(pictures), strict=True):
                    self._blind.discard(frame.stamp.camera_id)
                    self._analyses[frame.stamp.camera_id].step(frame, detections)
            self._close_blind({frame.stamp.camera_id for frame in frames})
        reason = "service stopped" if self._stopping.is_set() else "source ended"
        for analysis in self._analyses.values():
            analysis.end(reason)
        while not self._stored() and not stop.wait(_RETRY_S):
            pass
        if not self._stored():
            n_lost = sum(analysis.n_unstored for analysis in self._analyses.values())
            log.critical("the disk does not take what is to be told, it is lost n=%d", n_lost)

    def _stored(self) -> bool:
        refused = [analysis for analysis in self._analyses.values() if not analysis.store()]
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
