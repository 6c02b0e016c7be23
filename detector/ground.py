"""From picture to ground without calibration: how tall a body is at each foot point, learned from tracks.

Lives here: the unit `bh` (body height) and how much an up-down pixel is foreshortened. Holds a bounded number
of samples, never a clock or a picture.

    height(y) = a + b*y      y: foot point, px from the top; b >= 0: lower in the picture is nearer and taller
    horizon   = -a/b         where bodies shrink to nothing; with the focal length it gives the camera's tilt

What was learned can be taken out and given back (`state`, `from_state`): a restart need not begin anew.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Self

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
    per_track: int = 4  # samples one track may give to a band; more: sooner learned, more like one person
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
    doubt: float = 0.2  # |log height / line| of recent people from which the view is taken for another one
    doubt_people: int = 8  # who must say so; more: a changed view is noticed later, a class of children less

    def __post_init__(self) -> None:
        check_range("min_samples", self.min_samples, 3, 10_000)
        check_range("per_band", self.per_band, 3, 10_000)
        check_range("per_track", self.per_track, 1, 10_000)
        check_range("min_age_s", self.min_age_s, 0, 60)
        check_range("stride_bh", self.stride_bh, 0, 10, above=True)
        check_range("upright_ratio", self.upright_ratio, 0, 10, above=True)
        check_range("max_overlap", self.max_overlap, 0, 1)
        check_range("smooth_s", self.smooth_s, 0, 60, above=True)
        check_range("focal_widths", self.focal_widths, 0.2, 20)
        check_range("max_gain", self.max_gain, 1, 20)
        check_range("doubt", self.doubt, 0, 5, above=True)
        check_range("doubt_people", self.doubt_people, 2, 60)


_DEFAULT_GAIN = 2.0  # ground seen 30 degrees from above, until the line is known
_MIN_BODY_PX = 1.0
_N_RECENT = 64  # samples that are compared with the line
_N_TEACHERS = 64  # tracks whose samples are counted; the oldest are forgotten


@dataclass(frozen=True, slots=True)
class ScaleState:
    """What was learned of one view, as plain numbers."""

    width: int  # px of the picture it was learned in
    height: int
    samples: tuple[tuple[float, float], ...]  # (foot y px, height px), those of a band oldest first

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"ScaleState: wanted a picture size, got {self.width}x{self.height}")
        for y, h in self.samples:
            if not (0.0 <= y <= self.height and _MIN_BODY_PX <= h <= 4.0 * self.height):
                raise ValueError(
                    f"ScaleState.samples: wanted a foot and a height in the picture, got ({y}, {h})"
                )


@dataclass(slots=True)
class _Teacher:
    """One track's samples so far."""

    foot: tuple[float, float]  # of the last one
    bands: Counter[int] = field(default_factory=Counter)


class BodyScale:
    """Learns height = a + b*y of standing people; until it knows, each track's own height serves.

    A sample is taken of a person matched in this picture, upright, not cut by the picture's edge, not
    overlapping another, who has moved since the last one: things that stand for ever are learned once, and one
    person gives only a few of a band's samples. The line is fitted with Tukey weights and a weak prior (horizon
    at the top of the picture), at most once a second. When many people in a row are far from it, the camera
    looks elsewhere: what was learned before them is forgotten. Another picture size begins anew, a reconnect
    does not: it does not change how tall people look.
    """

    def __init__(self, params: BodyScaleParams = BodyScaleParams()) -> None:
        self._params = params
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._bands: list[deque[tuple[float, float]]] = [
            deque(maxlen=self._params.per_band) for _ in range(_N_BANDS)
        ]
        self._line: tuple[float, float] | None = None  # a, b
        self._limits = (_MIN_BODY_PX, math.inf)
        self._size = (0, 0)  # not known
        self._own: dict[int, tuple[float, float]] = {}  # track id -> smoothed height px, time of it
        self._teachers: dict[int, _Teacher] = {}  # by track id, who taught last at the end
        self._recent: deque[tuple[int, float, float]] = deque(maxlen=_N_RECENT)  # track id, foot y, height
        self._own_feet: F32 = np.zeros((0, 2), np.float32)
        self._own_px: F32 = np.zeros(0, np.float32)
        self._n_new = 0
        self._fit_t = -math.inf

    def step(self, tracks: Tracks, stamp: Stamp) -> None:
        """Learn from the people of one picture."""
        size = (stamp.width, stamp.height)
        if size != self._size:
            self.reset()
            self._size = size
        foot = feet_of(tracks.boxes, stamp.width, stamp.height)
        tall = np.maximum(heights(tracks.boxes), np.float32(_MIN_BODY_PX))
        self._smooth(tracks, foot, tall, stamp.t)
        good = self._teaches(tracks, tall, stamp)
        for i in np.flatnonzero(good).tolist():
            self._learn(int(tracks.ids[i]), float(foot[i, 0]), float(foot[i, 1]), float(tall[i]))
        if self._n_new and not self._fit_t <= stamp.t < self._fit_t + 1.0:
            self._doubt()
            self._fit()
            self._n_new, self._fit_t = 0, stamp.t

    @classmethod
    def from_state(cls, state: ScaleState, params: BodyScaleParams = BodyScaleParams()) -> Self:
        """Go on where `state` was taken; void once a picture of another size comes."""
        scale = cls(params)
        scale._size = (state.width, state.height)
        scale._fill(state.samples)
        scale._fit()
        return scale

    def state(self) -> ScaleState | None:
        """Give what was learned so far; None where nothing was."""
        samples = tuple(sample for band in self._bands for sample in band)
        return ScaleState(*self._size, samples) if samples else None

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

    def _learn(self, key: int, x: float, y: float, h: float) -> None:
        """Take a sample of a track, if it has moved and has not said enough here."""
        teacher = self._teachers.pop(key, None)
        if teacher is not None and math.dist(teacher.foot, (x, y)) < self._params.stride_bh * h:
            self._teachers[key] = teacher
            return
        band = self._band(y)
        teacher = teacher or _Teacher((x, y))
        teacher.foot = (x, y)
        self._teachers[key] = teacher
        if len(self._teachers) > _N_TEACHERS:
            del self._teachers[next(iter(self._teachers))]
        if teacher.bands[band] < self._params.per_track:
            teacher.bands[band] += 1
            self._bands[band].append((y, h))
            self._recent.append((key, y, h))
            self._n_new += 1

    def _band(self, y: float) -> int:
        return max(0, min(int(y / self._size[1] * _N_BANDS), _N_BANDS - 1))

    def _fill(self, samples: Iterable[tuple[float, float]]) -> None:
        for y, h in samples:
            self._bands[self._band(y)].append((y, h))

    def _doubt(self) -> None:
        """Keep only what the recent people say, if more than half of them are far from the line."""
        if self._line is None or len(self._recent) < _N_RECENT:
            return
        a, b = self._line
        off: dict[int, list[float]] = {}
        for key, y, h in self._recent:
            expected = min(max(a + b * y, self._limits[0]), self._limits[1])
            off.setdefault(key, []).append(math.log(h / expected))
        far = {key for key, values in off.items() if abs(fmean(values)) > self._params.doubt}
        if len(off) >= self._params.doubt_people and 2 * len(far) > len(off):
            for band in self._bands:
                band.clear()
            self._fill((y, h) for key, y, h in self._recent if key in far)
            self._recent.clear()

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
