"""From picture to ground without calibration: how tall a body is at each foot point, learned from tracks.

Lives here: the unit `bh` (body height) and how much an up-down pixel is foreshortened. Holds a bounded number
of samples, never a clock or a picture.

    height(y) = a + b*y      y: foot point, px from the top; b >= 0: lower in the picture is nearer and taller
    horizon   = -a/b         where bodies shrink to nothing; with the focal length it gives the camera's tilt
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from detector.boxes import feet as feet_of
from detector.boxes import heights, iou, widths
from detector.errors import check_range
from detector.types import F32, F64, Mask, Stamp, Tracks

_N_BANDS = 16  # bands of foot y that remember on their own: a crowd in one place cannot push out the others
_FIT_ROUNDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyScaleParams:
    """How the standing height is learned."""

    min_samples: int = 24  # samples before the line is used; more: later and surer, less: sooner and shakier
    per_band: int = (
        32  # newest samples kept in each of 16 bands of y; more: steadier, slower to follow a change
    )
    min_age_s: float = 1.0  # a track younger than this teaches nothing; more: fewer false objects are learned
    stride_bh: float = (
        0.25  # way between two samples of one track; more: walkers count less, standers once anyway
    )
    upright_ratio: float = (
        1.6  # least height/width of a standing body; more: bent and sitting people left out
    )
    max_overlap: float = (
        0.1  # highest IoU with another body; less: fewer half-hidden (too short) bodies learned
    )
    smooth_s: float = 1.0  # time constant of a track's own height, used before the line is known
    focal_widths: float = 1.0  # focal length in picture widths (1: a lens of 53 degrees); more: deeper ground
    max_gain: float = 4.0  # most that depth may be stretched; more: trusts foot points near the horizon

    def __post_init__(self) -> None:
        check_range("min_samples", self.min_samples, 3, 10_000)
        check_range("per_band", self.per_band, 3, 10_000)
        check_range("min_age_s", self.min_age_s, 0, 60)
        check_range("stride_bh", self.stride_bh, 0, 10, above=True)
        check_range("upright_ratio", self.upright_ratio, 0, 10, above=True)
        check_range("max_overlap", self.max_overlap, 0, 1)
        check_range("smooth_s", self.smooth_s, 0, 60, above=True)
        check_range("focal_widths", self.focal_widths, 0.2, 20)
        check_range("max_gain", self.max_gain, 1, 20)


_DEFAULT_GAIN = 2.0  # ground seen 30 degrees from above, until the line is known
_MIN_BODY_PX = 1.0


class BodyScale:
    """Learns height = a + b*y of standing people; until it knows, each track's own height serves.

    A sample is taken of a person matched in this picture, upright, not cut by the picture's edge, not
    overlapping another, who has moved since the last one: things that stand for ever are learned once. The
    line is fitted with Tukey weights and a weak prior (horizon at the top of the picture), at most once a
    second.
    """

    def __init__(self, params: BodyScaleParams = BodyScaleParams()) -> None:
        self._params = params
        self.reset()

    def reset(self) -> None:
        """Forget everything: for a new picture size. A reconnect does not change how tall people look."""
        self._bands: list[deque[tuple[float, float]]] = [
            deque(maxlen=self._params.per_band) for _ in range(_N_BANDS)
        ]
        self._line: tuple[float, float] | None = None  # a, b
        self._limits = (_MIN_BODY_PX, math.inf)
        self._size = (1, 1)
        self._own: dict[int, tuple[float, float]] = {}  # track id -> smoothed height px, time of it
        self._taught: dict[int, tuple[float, float]] = {}  # track id -> foot point of its last sample
        self._own_feet: F32 = np.zeros((0, 2), np.float32)
        self._own_px: F32 = np.zeros(0, np.float32)
        self._n_new = 0
        self._fit_t = -math.inf

    def step(self, tracks: Tracks, stamp: Stamp) -> None:
        """Learn from the people of one picture."""
        self._size = (stamp.width, stamp.height)
        foot = feet_of(tracks.boxes, stamp.width, stamp.height)
        tall = np.maximum(heights(tracks.boxes), np.float32(_MIN_BODY_PX))
        self._smooth(tracks, foot, tall, stamp.t)
        taught: dict[int, tuple[float, float]] = {}
        good = self._teaches(tracks, tall, stamp)
        for i, key in enumerate(tracks.ids.tolist()):
            x, y, h = float(foot[i, 0]), float(foot[i, 1]), float(tall[i])
            last = self._taught.get(key)
            if good[i] and (last is None or math.dist(last, (x, y)) >= self._params.stride_bh * h):
                self._bands[min(int(y / stamp.height * _N_BANDS), _N_BANDS - 1)].append((y, h))
                self._n_new += 1
                last = (x, y)
            if last is not None:
                taught[key] = last
        self._taught = taught
        if self._n_new and not self._fit_t <= stamp.t < self._fit_t + 1.0:
            self._fit()
            self._n_new, self._fit_t = 0, stamp.t

    def body_px(self, feet: F32) -> F32:
        """Give the height in px of a standing person at each foot point (n, 2): (n,), finite and > 0."""
        if self._line is not None:
            a, b = self._line
            return np.clip(a + b * feet[:, 1].astype(np.float64), *self._limits).astype(np.float32)
        if len(self._own_px) == 0:
            return np.full(len(feet), max(0.2 * self._size[1], _MIN_BODY_PX), np.float32)
        away = ((feet[:, None, :] - self._own_feet[None, :, :]) ** 2).sum(axis=2)
        nearest: F32 = self._own_px[np.argmin(away, axis=1)]
        return nearest

    def depth_gain(self, feet: F32) -> F32:
        """Give how many sideways px one up-down px is worth at each foot point (n, 2): (n,), >= 1.

        With camera tilt p (from the horizon) and depression d of the foot point: cos(d - p) / sin(d), from
        the pinhole model on flat ground. 2 (ground seen 30 degrees from above) until the line is known.
        """
        if self._line is None:
            return np.full(len(feet), _DEFAULT_GAIN, np.float32)
        a, b = self._line
        if b <= 1e-6:  # no horizon: seen from above
            return np.ones(len(feet), np.float32)
        focal = self._params.focal_widths * max(self._size)
        middle = self._size[1] / 2
        tilt = math.atan((middle + a / b) / focal)
        down = tilt + np.arctan((feet[:, 1].astype(np.float64) - middle) / focal)
        gain: F64 = np.cos(down - tilt) / np.maximum(np.sin(down), 1e-3)
        return np.clip(gain, 1.0, self._params.max_gain).astype(np.float32)

    def _smooth(self, tracks: Tracks, foot: F32, tall: F32, t: float) -> None:
        own: dict[int, tuple[float, float]] = {}
        for i, key in enumerate(tracks.ids.tolist()):
            h = float(tall[i])
            if key in self._own:
                before, then = self._own[key]
                h = before + (h - before) * (1 - math.exp(-max(t - then, 0.0) / self._params.smooth_s))
            own[key] = (h, t)
        self._own = own
        self._own_feet = foot
        self._own_px = np.array([h for h, _ in own.values()], np.float32)

    def _teaches(self, tracks: Tracks, tall: F32, stamp: Stamp) -> Mask:
        """Say which tracks show a whole standing body."""
        boxes, params = tracks.boxes, self._params
        edge_x, edge_y = 0.005 * stamp.width, 0.005 * stamp.height
        whole = (boxes[:, 0] > edge_x) & (boxes[:, 2] < stamp.width - 1 - edge_x)
        whole &= (boxes[:, 1] > edge_y) & (boxes[:, 3] < stamp.height - 1 - edge_y)
        upright = tall >= params.upright_ratio * np.maximum(widths(boxes), np.float32(1))
        seen = (tracks.seen_t >= stamp.t) & (stamp.t - tracks.born_t >= params.min_age_s)
        overlap = iou(boxes, boxes)
        np.fill_diagonal(overlap, 0)
        alone = overlap.max(axis=1, initial=0) <= params.max_overlap
        good: Mask = whole & upright & seen & alone
        return good

    def _fit(self) -> None:
        """Fit the line by reweighted least squares (Huber, then Tukey) to the samples of all bands."""
        samples = np.array([s for band in self._bands for s in band], np.float64)
        if len(samples) < self._params.min_samples:
            return
        y, h = samples[:, 0], samples[:, 1]
        typical = float(np.median(h))
        middle = float(np.median(y))
        slope0 = typical / max(middle, 1.0)  # horizon at the top of the picture
        mid, slope = typical, slope0
        for go in range(_FIT_ROUNDS):
            off = np.abs(h - (mid + slope * (y - middle)))
            noise = max(1.4826 * float(np.median(off)), 0.03 * typical)
            if go < _FIT_ROUNDS // 2:  # Huber first: it cannot get stuck on the wrong boxes
                weight = noise / np.maximum(off, noise)
            else:
                weight = np.maximum(1 - (off / (4.685 * noise)) ** 2, 0.0) ** 2
            mid, slope = _weighted_line(y - middle, h, weight, (slope0, (noise / slope0) ** 2))
        self._line = (mid - slope * middle, slope)
        low, high = np.percentile(h, (5, 95))
        self._limits = (max(0.5 * float(low), _MIN_BODY_PX), 2.0 * float(high))


def _weighted_line(y: F64, h: F64, weight: F64, prior: tuple[float, float]) -> tuple[float, float]:
    """Give height at y = 0 and slope >= 0; `prior`: the expected slope, the px² of y that speak for it."""
    total = float(weight.sum())
    y0 = float((weight * y).sum()) / total
    h0 = float((weight * h).sum()) / total
    slope0, pull = prior
    up = float((weight * (y - y0) * (h - h0)).sum()) + pull * slope0
    slope = max(up / (float((weight * (y - y0) ** 2).sum()) + pull), 0.0)
    return h0 - slope * y0, slope
