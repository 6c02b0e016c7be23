r"""From picture to ground with calibration: four points whose places on the floor are known give metres.

Pure and unchangeable. Picture points are 0-1 of the upright picture, so another picture size of the same view
changes nothing. Both rows of four run around a convex shape in the same order; what does not is refused.

        picture, 0-1                 floor, metres
          1 ___ 2                   1 +-----+ 2
           /   \          H           |     |
        4 /_____\ 3     --->        4 +-----+ 3      H: homography, a plane to a plane

Source: direct linear transform, Hartley and Zisserman, Multiple View Geometry (2004), section 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from detector.errors import ConfigError, check_range
from detector.types import F32, F64, Ground
from detector.zones import Corner

BODY_M = 1.8  # metres that count as one body height: `link_bh` 1 is then 1.8 m
_MIN_SINE = 0.02  # of the angle at a corner, about 1 degree: flatter is a line, and its place a guess
_MIN_AREA = 0.001  # of the picture: less says nothing of the rest of it
_MAX_M = 10_000.0
# Towards the horizon a pixel covers ever more ground, at the horizon all of it. Ground farther than this many
# times the farthest corner's depth is not told apart: everything stays finite.
_FARTHEST = 50.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where four picture points lie on the floor.

    `corners`: four (x, y), 0-1 of the upright picture; `metres`: where they are, in any two axes at right
    angles. Raises ConfigError naming the field: not four, not finite, outside 0-1, equal, three in line,
    crossing, dented, too small.
    """

    corners: tuple[Corner, ...]
    metres: tuple[Corner, ...]

    def __post_init__(self) -> None:
        for name, limits in (("corners", (0.0, 1.0)), ("metres", (-_MAX_M, _MAX_M))):
            ring = tuple((float(x), float(y)) for x, y in getattr(self, name))
            object.__setattr__(self, name, ring)
            _check_ring(name, ring, limits)
        area = _area(self.corners)
        if area < _MIN_AREA:
            raise ConfigError(
                "too small to calibrate with",
                where="corners",
                wanted=f"at least {_MIN_AREA:.1%} of the picture",
                got=f"{area:.2%}",
                todo="Choose four points farther apart",
            )

    @classmethod
    def rectangle(cls, corners: Sequence[Corner], width_m: float, depth_m: float) -> Calibration:
        """Four corners of a rectangle: the first two are `width_m` apart, the second and third `depth_m`."""
        for name, side in (("width_m", width_m), ("depth_m", depth_m)):
            check_range(name, side, 0.0, _MAX_M, above=True)
        return cls(tuple(corners), ((0.0, 0.0), (width_m, 0.0), (width_m, depth_m), (0.0, depth_m)))

    def place(self, feet: F32, velocity: F32, width: int, height: int) -> Ground:
        """Put foot points (n, 2) px and velocities (n, 2) px/s of a width x height picture on the floor."""
        at, by_x, by_y = self._project(feet, width, height)
        speed = velocity.astype(np.float64)
        return Ground(at, by_x * speed[:, :1] + by_y * speed[:, 1:])

    def body_px(self, feet: F32, width: int, height: int) -> F32:
        """Give how many sideways px `BODY_M` metres are at each foot point: (n,), finite and > 0."""
        _, by_x, _ = self._project(feet, width, height)
        return (BODY_M / _lengths(by_x)).astype(np.float32)

    def depth_gain(self, feet: F32, width: int, height: int) -> F32:
        """Give how many sideways px one up-down px is worth at each foot point: (n,), finite and > 0."""
        _, by_x, by_y = self._project(feet, width, height)
        return (_lengths(by_y) / _lengths(by_x)).astype(np.float32)

    def _project(self, feet: F32, width: int, height: int) -> tuple[F64, F64, F64]:
        """Give places (n, 2) m, and how they change with one px to the right and one px down, (n, 2) m/px."""
        matrix = _homography(self.corners, self.metres)
        size = np.array([width, height], np.float64)
        spots = np.column_stack([feet.astype(np.float64) / size, np.ones(len(feet))])
        plane = spots @ matrix.T
        nearness = np.maximum(plane[:, 2:], 1.0 / _FARTHEST)
        at = plane[:, :2] / nearness
        bend = np.where(plane[:, 2:] > nearness * (1 - 1e-9), at, 0.0)
        by_x = (matrix[:2, 0] - bend * matrix[2, 0]) / nearness / width
        by_y = (matrix[:2, 1] - bend * matrix[2, 1]) / nearness / height
        return at, by_x, by_y


def _lengths(vectors: F64) -> F64:
    lengths: F64 = np.maximum(np.hypot(vectors[:, 0], vectors[:, 1]), 1e-9)
    return lengths


@lru_cache(maxsize=1024)
def _homography(corners: tuple[Corner, ...], metres: tuple[Corner, ...]) -> F64:
    """The matrix (3, 3) from picture 0-1 to metres, scaled so that its last row is 1 at the farthest corner."""
    target = np.array(metres)
    middle, spread = target.mean(axis=0), float(np.ptp(target, axis=0).max())
    rows = []
    for (x, y), (u, v) in zip(corners, ((target - middle) / spread).tolist(), strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, -u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, -v])
    matrix: F64 = np.linalg.svd(np.array(rows, np.float64))[2][-1].reshape(3, 3)
    depth = np.column_stack([np.array(corners), np.ones(4)]) @ matrix[2]
    matrix /= depth[np.argmin(np.abs(depth))]  # of one sign at all four, since both rings are convex
    matrix[:2] = matrix[:2] * spread + middle[:, None] * matrix[2]
    matrix.flags.writeable = False
    return matrix


def _check_ring(name: str, ring: tuple[Corner, ...], limits: tuple[float, float]) -> None:
    """Refuse what is no convex quadrilateral."""
    low, high = limits
    if len(ring) != 4:
        raise ConfigError("not four points", where=name, wanted="4 of x, y", got=str(len(ring)))
    for i, corner in enumerate(ring, start=1):
        if not all(math.isfinite(value) and low <= value <= high for value in corner):
            raise ConfigError(
                "out of range",
                where=name,
                wanted=f"finite numbers, {low:g} to {high:g}",
                got=f"point {i} ({corner[0]:g}, {corner[1]:g})",
                todo="Divide pixels by the picture's width and height" if name == "corners" else "",
            )
    turns = [_turn(ring[i - 1], ring[i], ring[(i + 1) % 4]) for i in range(4)]
    flat = [i for i in range(4) if abs(turns[i]) < _MIN_SINE]
    if flat:
        i = flat[0] + 1
        three = f"points {(i - 2) % 4 + 1}, {i} and {i % 4 + 1}"
        raise ConfigError(
            "points in one line", where=name, wanted="no two equal, no three in line", got=f"{three} are"
        )
    n_left = sum(turn > 0 for turn in turns)
    if n_left in (1, 3):
        odd = next(i for i in range(4) if (turns[i] > 0) == (n_left == 1)) + 1
        raise ConfigError(
            "a point inside the others", where=name, wanted="a convex shape", got=f"point {odd} lies inside"
        )
    if n_left == 2:
        raise ConfigError(
            "sides that cross",
            where=name,
            wanted="four points in order around the shape",
            got="an order in which two sides cross",
            todo="Swap two neighbouring points",
        )


def _turn(a: Corner, b: Corner, c: Corner) -> float:
    """Give the sine of the turn at b on the way a-b-c; 0 where two of them are equal."""
    ab, bc = (b[0] - a[0], b[1] - a[1]), (c[0] - b[0], c[1] - b[1])
    sides = math.hypot(*ab) * math.hypot(*bc)
    return (ab[0] * bc[1] - ab[1] * bc[0]) / sides if sides > 1e-12 else 0.0


def _area(ring: tuple[Corner, ...]) -> float:
    return abs(sum(ring[i - 1][0] * ring[i][1] - ring[i][0] * ring[i - 1][1] for i in range(4))) / 2
