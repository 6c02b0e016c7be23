"""A camera's pictures -> numbers of its view: brightness, detail, likeness to the usual view, stillness.

Once a second a small grey copy is measured. Edges are compared, each against its neighbourhood, so that the
time of day matters little; a usual view is the slow average of pictures that were in order. A camera has up
to three of them (daylight, infrared, ...), and the one that fits best counts. Where the edges fit best tells
a displacement: cross-correlation by FFT (Lewis, Fast Normalized Cross-Correlation, 1995).
"""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from detector.rules.blind import Sight
from detector.types import F32
from streams.frame import Frame

LOOK_S = 1.0
LEARN_LOOKS = 30  # before a first view is the usual one
RELEARN_LOOKS = 900  # in a row of a clear view that is not known, after which it is usual too
_MEMORY_LOOKS = 600  # over which a usual view changes: ten minutes
_MAX_VIEWS = 3
_SAME = 0.5  # likeness from which two looks show the same view
_WIDTH, _HEIGHT = 320, 180  # of the grey copy, whatever the picture's shape
_POOL = 4  # edges are compared by squares of this many pixels
_REACH = 0.3  # share of the picture over which a displacement is looked for
_NO_CHANGE = 0.001  # share of pixels; noise of a sensor changes more
_GREYS = 8.0  # detail is told per contrast, which is never less than this: a dimmed picture is not blurred
_LOCAL = 9  # squares around an edge to which it is compared


@dataclass(slots=True, eq=False)
class _View:
    """What a camera usually sees."""

    edges: F32
    detail: float
    n: int = 1


class Eye:
    """One camera's view over time; owned by one thread."""

    def __init__(self) -> None:
        self._grey, self._points = VideoReformatter(), VideoReformatter()
        self._looked_t = -np.inf
        self._still: tuple[NDArray[np.uint8], float] | None = None  # pixels, and since when they are so
        self._views: list[_View] = []  # the one that fitted last comes last
        self._newest: tuple[F32, float] | None = None  # edges and detail of the last look
        self._strange: _View | None = None  # a clear view that is not known (yet)

    def look(self, frame: Frame) -> Sight | None:
        """Measure a picture; None: the last look was less than a second ago."""
        t = frame.stamp.t
        if self._looked_t <= t < self._looked_t + LOOK_S:
            return None
        self._looked_t = t
        grey = _scaled(self._grey, frame.video, Interpolation.AREA).astype(np.float32)
        low, high = np.percentile(grey, (5, 95)).tolist()
        edges, detail = _edges_of(grey), _detail_of(grey) / (high - low + _GREYS)
        self._newest = edges, detail
        likeness = shift = share = None
        if self._views and self._views[0].n >= LEARN_LOOKS:
            fits = [(*_fit(edges, view.edges), view) for view in self._views]
            likeness, shift, view = max(fits, key=lambda fit: fit[0] - fit[1])
            share = detail / max(view.detail, 1e-6)
            self._views.remove(view)
            self._views.append(view)
        return Sight(
            luma=float(grey.mean()),
            contrast=high - low,
            still_s=self._still_s(frame.video, t),
            detail_share=share,
            likeness=likeness,
            shift_share=shift,
        )

    def learn(self, *, clear: bool, usual: bool) -> None:
        """Remember the last look: `clear`, there is a view in it; `usual`, it is one that is known."""
        if self._newest is None or not clear:
            self._strange = None
            return
        edges, detail = self._newest
        learning = bool(self._views) and self._views[0].n < LEARN_LOOKS
        if not self._views or (learning and _fit(edges, self._views[0].edges)[0] < _SAME):
            self._views = [_View(edges, detail)]  # a view that never stays the same is never known
        elif usual:
            self._strange = None
            _blend(self._views[-1], edges, detail)
        elif self._strange is None or _fit(edges, self._strange.edges)[0] < _SAME:
            self._strange = _View(edges, detail)
        else:
            _blend(self._strange, edges, detail)
            if self._strange.n >= RELEARN_LOOKS:
                self._views = [*self._views[1 - _MAX_VIEWS :], self._strange]
                self._strange = None

    def _still_s(self, video: av.VideoFrame, t: float) -> float:
        """Seconds since the picture last changed; pixels are picked, since an average would hide noise."""
        points = _scaled(self._points, video, Interpolation.POINT)
        if self._still is None or np.count_nonzero(points != self._still[0]) > _NO_CHANGE * points.size:
            self._still = points, t
        return max(0.0, t - self._still[1])


def _blend(view: _View, edges: F32, detail: float) -> None:
    view.n += 1
    rate = np.float32(1.0 / min(view.n, _MEMORY_LOOKS))
    view.edges = view.edges + rate * (edges - view.edges)
    view.detail += float(rate) * (detail - view.detail)


def _scaled(scaler: VideoReformatter, video: av.VideoFrame, how: Interpolation) -> NDArray[np.uint8]:
    """(180, 320) uint8 grey, contiguous and in memory of its own."""
    small = scaler.reformat(video, width=_WIDTH, height=_HEIGHT, format="gray", interpolation=how, threads=1)
    return np.array(small.to_ndarray(), dtype=np.uint8)


def _detail_of(grey: F32) -> float:
    """Mean absolute Laplacian: what a blur takes away."""
    inner = 4.0 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    return float(np.abs(inner).mean())


def _edges_of(grey: F32) -> F32:
    """(45, 80) edge strengths, each relative to those around it, so that light and contrast matter little."""
    down, across = (
        np.abs(np.diff(grey, axis=0, append=grey[-1:])),
        np.abs(np.diff(grey, axis=1, append=grey[:, -1:])),
    )
    pooled = (down + across).reshape(_HEIGHT // _POOL, _POOL, _WIDTH // _POOL, _POOL).mean(axis=(1, 3))
    around = _box_mean(pooled, _LOCAL)
    edges: F32 = (pooled / (around + 2.0)).astype(np.float32)
    return edges


def _box_mean(values: F32, side: int) -> F32:
    """The mean over a square around each value; the edge is continued."""
    half = side // 2
    padded = np.pad(values, half, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    mean: F32 = windows.mean(axis=(2, 3), dtype=np.float32)
    return mean


def _fit(edges: F32, usual: F32) -> tuple[float, float]:
    """How well edges fit a usual view at the best displacement (0-1), and that displacement (share)."""
    a, b = edges - edges.mean(), usual - usual.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    if norm < 1e-6:  # one of them has no edges at all
        return 0.0, 0.0
    rows, columns = a.shape
    shape = (2 * rows, 2 * columns)  # room, so that what leaves on one side does not come in on the other
    spectrum = np.fft.rfft2(a, shape) * np.conj(np.fft.rfft2(b, shape))
    match = np.fft.irfft2(spectrum, shape) / norm
    reach_y, reach_x = int(rows * _REACH), int(columns * _REACH)
    near = np.roll(match, (reach_y, reach_x), axis=(0, 1))[: 2 * reach_y + 1, : 2 * reach_x + 1]
    # The part of both that overlaps shrinks with the displacement, and the sum with it.
    dy, dx = np.abs(np.arange(-reach_y, reach_y + 1)), np.abs(np.arange(-reach_x, reach_x + 1))
    near = near / ((1 - dy[:, None] / rows) * (1 - dx[None, :] / columns))
    y, x = np.unravel_index(int(near.argmax()), near.shape)
    here = float(near[reach_y, reach_x])
    best = float(near[y, x])
    if best < max(1.2 * here, here + 0.1):  # a displacement must explain clearly more than none
        return max(0.0, here), 0.0
    return max(0.0, best), float(max(abs(int(y) - reach_y) / rows, abs(int(x) - reach_x) / columns))
