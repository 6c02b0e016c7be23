"""Looks at the skeletons of close pairs: crops of all cameras in one call of the pose network, then the activity.

Owned by the inference thread. Nothing is loaded, cut or computed before a pair is proposed, and only cameras with
the hand-off rule propose any. A network that cannot be loaded is said once; the rest of the worker goes on.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detector.errors import ModelError
from detector.hands import points_of
from detector.pairs import Pair, PairSight
from detector.rules.handoff import LEAST_PX
from detector.scene import Watched
from detector.skeletons import arm_length, wrist_gaps
from detector.types import F32
from detector.whose import whose
from models.catalog import load_card, network_path
from models.handoff.features import CLASSES, features, to_classes
from models.handoff.network import ActivityNetwork
from models.onnx import DetectorOptions
from models.pose import People, PoseNetwork, cut, window_of
from streams.frame import Frame

log = logging.getLogger(__name__)

POSE = "yolo11n-pose"
KEEP_S = 3.5  # of a pair's skeletons: the activity network's window
FAR_AL = 1.5  # arm lengths between hands; from there on every second picture is enough
_SELDOM_S = 0.15  # since the last look
_FRESH_S = 0.6  # skeletons this recent tell who is who
_Key = tuple[str, tuple[int, int]]  # camera id, track ids
_BARE = np.zeros((2, 17, 3), np.float32)


@dataclass(frozen=True, slots=True)
class Networks:
    """What pairs are looked at with."""

    pose: PoseNetwork
    activity: ActivityNetwork


def load_networks(options: DetectorOptions = DetectorOptions()) -> Networks:
    """The networks in place. Raises ModelError."""
    card = load_card(POSE)
    return Networks(PoseNetwork(card, network_path(card), options), ActivityNetwork())


@dataclass(slots=True)
class _Past:
    """The skeletons of one pair lately."""

    epoch: int
    unsure: bool = False  # in the last picture
    activities: Mapping[str, float] = field(default_factory=dict)  # the network's last word
    times: deque[float] = field(default_factory=deque)
    skeletons: deque[F32] = field(default_factory=deque)

    def still_far(self, t: float) -> bool:
        """Whether hands were so far apart a moment ago that they cannot meet before the next look."""
        if not self.times or t - self.times[-1] > _SELDOM_S:
            return False
        gaps, unit = (
            wrist_gaps(points_of(self.skeletons[-1][None])),
            arm_length(points_of(np.stack(self.skeletons))),
        )
        return bool(np.isfinite(gaps).all()) and float(gaps.min()) > FAR_AL * unit

    def before(self, t: float) -> F32 | None:
        return self.skeletons[-1] if self.times and t - self.times[-1] <= _FRESH_S else None

    def add(self, t: float, skeletons: F32) -> None:
        self.times.append(t)
        self.skeletons.append(skeletons)
        while self.times[0] < t - KEEP_S:
            self.times.popleft()
            self.skeletons.popleft()


@dataclass(frozen=True, slots=True)
class _Job:
    """One pair of one picture."""

    frame: Frame
    watched: Watched
    pair: Pair

    @property
    def key(self) -> _Key:
        return self.frame.stamp.camera_id, self.pair.track_ids

    @property
    def boxes(self) -> F32:
        """(2, 4) px."""
        return self.watched.observation.tracks.boxes[list(self.pair.rows)]


class PairLooker:
    """Gives what was seen of each proposed pair."""

    def __init__(self, load: Callable[[], Networks | None] = load_networks) -> None:
        """`load` gives the networks, or None while they are on their way; it is asked until it gives them."""
        self.n_looks = 0  # crops that went through the pose network; other threads may read these
        self.n_unsure = 0  # of them: the two could not be told apart, nobody was given a skeleton
        self._load = load
        self._networks: Networks | None = None
        self._refused = False
        self._pasts: dict[_Key, _Past] = {}

    def look(self, pictures: Sequence[tuple[Frame, Watched]]) -> list[list[PairSight]]:
        """Give the sights of each picture's pairs. People too small for wrists get one without skeletons."""
        self._forget(pictures)
        jobs = [
            _Job(frame, watched, pair)
            for frame, watched in pictures
            for pair in watched.proposed.pairs
            if pair.body_px >= LEAST_PX
        ]
        networks = self._ready() if jobs else None
        seen = {} if networks is None else self._see(networks, [job for job in jobs if not self._rests(job)])
        for job in jobs if networks is not None else ():
            past = self._pasts[job.key]
            seen.setdefault(job.key, PairSight(job.pair, past.skeletons[-1], past.activities))
        return [
            [
                seen.get((frame.stamp.camera_id, pair.track_ids), PairSight(pair, _BARE))
                for pair in watched.proposed.pairs
            ]
            for frame, watched in pictures
        ]

    def _see(self, networks: Networks, jobs: Sequence[_Job]) -> dict[_Key, PairSight]:
        """One call of the pose network for all pairs, one of the activity network."""
        if not jobs:
            return {}
        pixels: dict[str, NDArray[np.uint8]] = {}
        windows, crops = [], []
        for job in jobs:
            name = job.frame.stamp.camera_id
            if name not in pixels:
                pixels[name] = job.frame.for_network.rgb(job.frame.width, job.frame.height)
            windows.append(window_of(job.boxes))
            crops.append(cut(pixels[name], windows[-1]))
        pasts = [
            self._remember(job, people)
            for job, people in zip(jobs, networks.pose.find(crops, windows), strict=True)
        ]
        self.n_looks += len(jobs)
        asked = [
            features(np.array(past.times), np.stack(past.skeletons), job.frame.stamp.t)
            for job, past in zip(jobs, pasts, strict=True)
        ]
        rows = [row for row, window in enumerate(asked) if window is not None]
        told = to_classes(networks.activity.judge([window for window in asked if window is not None]))
        said = {
            row: dict(zip(CLASSES, one, strict=True)) for row, one in zip(rows, told.tolist(), strict=True)
        }
        for row, past in enumerate(pasts):
            past.activities = said.get(row, {})
        return {
            job.key: PairSight(job.pair, past.skeletons[-1], past.activities, past.unsure)
            for job, past in zip(jobs, pasts, strict=True)
        }

    def _rests(self, job: _Job) -> bool:
        """Whether this picture need not be looked at: what was seen a moment ago stands for it."""
        past, stamp = self._pasts.get(job.key), job.frame.stamp
        return past is not None and past.epoch == stamp.epoch and past.still_far(stamp.t)

    def _remember(self, job: _Job, people: People) -> _Past:
        """Give the found skeletons to the pair's people, as far as that is sure."""
        stamp = job.frame.stamp
        past = self._pasts.get(job.key)
        if past is None or past.epoch != stamp.epoch:
            past = self._pasts[job.key] = _Past(stamp.epoch)
        told = whose(job.boxes, people.boxes, people.skeletons, past.before(stamp.t))
        self.n_unsure += told.unsure
        past.unsure = told.unsure
        skeletons = _BARE.copy()
        for person, row in enumerate(told.rows):
            if row >= 0:
                skeletons[person] = people.skeletons[row]
        past.add(stamp.t, skeletons)
        return past

    def _forget(self, pictures: Sequence[tuple[Frame, Watched]]) -> None:
        """Drop the past of pairs that these cameras watch no more."""
        here = {frame.stamp.camera_id for frame, _ in pictures}
        kept = {
            (frame.stamp.camera_id, pair.track_ids)
            for frame, watched in pictures
            for pair in watched.proposed.pairs
        }
        self._pasts = {key: past for key, past in self._pasts.items() if key[0] not in here or key in kept}

    def _ready(self) -> Networks | None:
        if self._networks is None and not self._refused:
            try:
                self._networks = self._load()
            except ModelError as error:
                self._refused = True
                log.error("no look at hand-offs error=%s", error)
        return self._networks
