"""Who is close enough to hand something to one another: pairs proposed from tracks, at most so many. Pure.

Distances are in body heights on the ground, as of groups. A pair is proposed once it has been close for
`hold_s`, and kept until it has been apart for `keep_s`, so that hands that part are still seen. A crowd has
more pairs than anyone can watch: the nearest `max_pairs` are proposed, those watched already first, and the
number of those left out is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from detector.errors import ConfigError, check_range
from detector.types import F32, F64, Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class PairParams:
    """What makes two people a pair."""

    near_bh: float = 0.9  # feet nearer than this; more: longer reaches, more pairs to watch
    far_bh: float = 1.2  # and apart from here on; more: steadier
    least_ratio: float = (
        0.65  # of the smaller to the larger box: people of very unlike height are not at one place
    )
    hold_s: float = 0.3  # close for this long; more: fewer passers-by, later
    keep_s: float = 1.5  # watched for this long after; the end of a hand-over
    max_pairs: int = 4  # of a camera at a time; more: more work in a crowd

    def __post_init__(self) -> None:
        for name in ("near_bh", "hold_s", "keep_s"):
            check_range(name, getattr(self, name), 0, 60, above=True)
        check_range("least_ratio", self.least_ratio, 0, 1)
        check_range("max_pairs", self.max_pairs, 1, 100)
        if self.far_bh < self.near_bh:
            raise ConfigError(
                "too small",
                where="far_bh",
                wanted=f"at least near_bh ({self.near_bh:g})",
                got=f"{self.far_bh:g}",
            )


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people who may hand something over."""

    track_ids: tuple[int, int]  # the smaller first: a pair is called by them
    rows: tuple[int, int]  # of the observation
    apart_bh: float  # feet, on the ground
    body_px: float  # height of the smaller of the two boxes in the picture
    since_t: float  # stream s at which they came close


@dataclass(frozen=True, slots=True)
class PairSight:
    """What was seen of a pair in one picture."""

    pair: Pair
    skeletons: F32  # (2, 17, 3) x, y px and confidence of each of `pair.track_ids`; confidence 0: not seen
    activities: Mapping[str, float] = field(default_factory=dict)  # the network's word; empty: not asked
    unsure: bool = False  # who is who could not be told, so nobody was given a skeleton


@dataclass(frozen=True, slots=True)
class Proposed:
    """The pairs to watch in this picture, nearest first, and how many more there were."""

    pairs: Sequence[Pair]
    n_left_out: int


NO_PAIRS = Proposed((), 0)


@dataclass(slots=True)
class _Known:
    since_t: float
    close_t: float  # when they were last close
    watched: bool = False


class PairFinder:
    """Finds the pairs of one camera, picture by picture."""

    def __init__(self, params: PairParams = PairParams()) -> None:
        self._params = params
        self._known: dict[tuple[int, int], _Known] = {}

    def reset(self) -> None:
        """Forget all pairs (a new epoch)."""
        self._known.clear()

    def step(self, obs: Observation) -> Proposed:
        """Give the pairs of this picture; only people who are seen in it, not those remembered, make one."""
        params, t = self._params, obs.stamp.t
        apart = _apart(obs)
        heights = (obs.tracks.boxes[:, 3] - obs.tracks.boxes[:, 1]).astype(np.float64)
        ripe: list[tuple[bool, float, Pair]] = []
        for first, second in np.argwhere(np.triu(apart <= params.far_bh, 1)).tolist():
            ids = int(obs.tracks.ids[first]), int(obs.tracks.ids[second])
            key, rows = (ids, (first, second)) if ids[0] < ids[1] else (ids[::-1], (second, first))
            low, high = sorted((heights[first], heights[second]))
            known = self._known.get(key)
            near = apart[first, second] <= (params.near_bh if known is None else params.far_bh)
            if near and low >= params.least_ratio * high:
                known = self._known.setdefault(key, _Known(t, t))
                known.close_t = t
            if known is not None and known.close_t - known.since_t >= params.hold_s:
                pair = Pair(key, rows, float(apart[first, second]), float(low), known.since_t)
                ripe.append((not known.watched, pair.apart_bh, pair))
        ripe += self._parting(obs, apart, {pair.track_ids for _, _, pair in ripe}, heights)
        self._known = {k: known for k, known in self._known.items() if t - known.close_t <= params.keep_s}
        ripe.sort(key=lambda entry: (*entry[:2], entry[2].track_ids))
        pairs = [pair for _, _, pair in ripe[: params.max_pairs]]
        for key, known in self._known.items():
            known.watched = any(pair.track_ids == key for pair in pairs)
        return Proposed(pairs, len(ripe) - len(pairs))

    def _parting(
        self, obs: Observation, apart: F64, there: set[tuple[int, int]], heights: F64
    ) -> list[tuple[bool, float, Pair]]:
        """Pairs that are watched and have stepped apart: watched a little longer."""
        row_of = {int(track): row for row, track in enumerate(obs.tracks.ids)}
        found = []
        for key, known in self._known.items():
            late = obs.stamp.t - known.close_t
            if (
                key in there
                or not known.watched
                or late > self._params.keep_s
                or not row_of.keys() >= set(key)
            ):
                continue
            rows = row_of[key[0]], row_of[key[1]]
            body = float(heights[list(rows)].min())
            found.append(
                (False, float(apart[rows]), Pair(key, rows, float(apart[rows]), body, known.since_t))
            )
        return found


def _apart(obs: Observation) -> F64:
    """How far apart people's feet are on the ground: (n, n) body heights; infinite to whoever is not seen now."""
    feet = obs.feet.astype(np.float64)
    body, gain = obs.body_px.astype(np.float64), obs.depth_gain.astype(np.float64)
    across = feet[:, 0, None] - feet[None, :, 0]
    along = (feet[:, 1, None] - feet[None, :, 1]) * (gain[:, None] + gain[None, :]) / 2
    apart: F64 = np.hypot(across, along) / ((body[:, None] + body[None, :]) / 2)
    unseen = obs.tracks.seen_t < obs.stamp.t
    apart[unseen] = apart[:, unseen] = np.inf
    return apart
