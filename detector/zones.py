"""Zones: polygons a rule looks at, 0-1 of the upright picture. A zone gives a mask and remembers nothing.

Half-open: a point on an edge shared by two neighbours belongs to exactly one of them.

        (0,0) +---------------+  x ->
              |   +-+   +-+   |
              |   | |   | |   |      a point in the notch of a U is outside;
              |   | +---+ |   |      direction and closing of the ring do not matter
              |   +-------+   |
            y v---------------+ (1,1)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from detector.errors import ConfigError
from detector.types import F32, F64, Mask

Corner = tuple[float, float]

MAX_CORNERS = 64  # the wire's limit too
_MIN_AREA = 1e-6  # of the picture; less than a pixel of a 640x480 picture holds nobody
_ON_LINE = 1e-12  # cross product under which three corners count as in line


@dataclass(frozen=True, slots=True)
class Zone:
    """A named area of the picture.

    `polygon`: (x, y) corners, 0-1 of the upright picture, in order along the edge; either direction, closed
    or not (a last corner equal to the first is dropped). Corners may lie on the picture's edge: 1.0 reaches
    it, so that a person cut by the lower edge of the picture counts.

    Raises ConfigError naming the corner or the edge: fewer than 3 corners, not finite, outside 0-1, repeated,
    edges that cross, touch or fold back, no area.
    """

    name: str
    polygon: tuple[Corner, ...]

    def __post_init__(self) -> None:
        check_name("zone", self.name)
        ring = corners_of(f"zone {self.name!r}", self.polygon)
        if len(ring) > 1 and ring[0] == ring[-1]:
            ring = ring[:-1]
        object.__setattr__(self, "polygon", ring)
        _check_corners(self.name, ring)
        _check_edges(self.name, ring)

    def contains(self, points: F32, width: int, height: int) -> Mask:
        """Say which points (n, 2) x y px of a width x height picture are inside: (n,).

        Points beyond the picture are clamped to 0..width-1, 0..height-1 first: someone cut by the edge still
        counts there. NaN is inside nothing.

        Source: ray casting (crossings of a ray to the right), edges half-open in y.
        """
        size = np.array([width, height], np.float64)
        spots = np.clip(points.astype(np.float64), 0.0, size - 1.0) / size
        x, y = spots[:, 0, None], spots[:, 1, None]
        low, high = _edges_upwards(self.polygon)
        spans = (low[:, 1] <= y) != (high[:, 1] <= y)
        run = high - low
        with np.errstate(divide="ignore", invalid="ignore"):  # level edges span nothing
            at_x = low[:, 0] + (y - low[:, 1]) * (run[:, 0] / run[:, 1])
        inside: Mask = np.count_nonzero(spans & (x < at_x), axis=1) % 2 == 1
        return inside


def _edges_upwards(ring: tuple[Corner, ...]) -> tuple[F64, F64]:
    """Give both ends (n, 2) of each edge, smaller y first: neighbours then compute a shared edge alike."""
    start = np.array(ring, np.float64)
    end = np.roll(start, -1, axis=0)
    swap = (start[:, 1] > end[:, 1])[:, None]
    return np.where(swap, end, start), np.where(swap, start, end)


def check_name(what: str, name: str) -> None:
    """Raise ConfigError unless a person can read and tell the name of a zone or a line."""
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise ConfigError(f"bad {what} name", where=what, wanted="1-100 printable characters", got=repr(name))


def corners_of(owner: str, polygon: tuple[Corner, ...]) -> tuple[Corner, ...]:
    """Give the corners as numbers 0-1. Raises ConfigError naming the owner and the corner."""
    ring: list[Corner] = []
    for i, corner in enumerate(polygon, start=1):
        where = f"{owner}, corner {i}"
        if len(corner) != 2:
            raise ConfigError("bad corner", where=where, wanted="x, y", got=repr(corner))
        x, y = float(corner[0]), float(corner[1])
        if not (math.isfinite(x) and math.isfinite(y)):
            raise ConfigError("bad corner", where=where, wanted="finite numbers", got=f"({x}, {y})")
        if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
            raise ConfigError(
                "corner outside the picture",
                where=where,
                wanted="0-1 of the picture's width and height",
                got=f"({x:g}, {y:g})",
                todo="Divide pixels by the picture's width and height" if max(x, y) > 2 else "",
            )
        ring.append((x, y))
    return tuple(ring)


def _check_corners(name: str, ring: tuple[Corner, ...]) -> None:
    where = f"zone {name!r}"
    seen: dict[Corner, int] = {}
    for i, corner in enumerate(ring, start=1):
        if corner in seen:
            raise ConfigError(
                "repeated corner",
                where=where,
                wanted="corners that differ",
                got=f"corner {i} equal to corner {seen[corner]}, ({corner[0]:g}, {corner[1]:g})",
            )
        seen[corner] = i
    if not 3 <= len(ring) <= MAX_CORNERS:
        raise ConfigError(
            "bad number of corners", where=where, wanted=f"3-{MAX_CORNERS} different ones", got=str(len(ring))
        )


def _check_edges(name: str, ring: tuple[Corner, ...]) -> None:
    """Refuse edges that meet anywhere but at the corner two neighbours share; edge i runs from corner i."""
    where = f"zone {name!r}"
    n = len(ring)
    for i in range(n):
        a, b = ring[i], ring[(i + 1) % n]
        for j in range(i + 1, n):
            c, d = ring[j], ring[(j + 1) % n]
            follows = j == i + 1 or (j + 1) % n == i
            if _fold(a, b, c, d) if follows else _meet(a, b, c, d):
                raise ConfigError(
                    "edges that cross, touch or fold back",
                    where=where,
                    wanted="a simple polygon",
                    got=f"edge {i + 1} {_edge(a, b)} meets edge {j + 1} {_edge(c, d)}",
                )
    area = abs(sum(ring[k - 1][0] * ring[k][1] - ring[k][0] * ring[k - 1][1] for k in range(n))) / 2
    if area < _MIN_AREA:
        raise ConfigError(
            "no area", where=where, wanted=f"at least {_MIN_AREA:g} of the picture", got=f"{area:g}"
        )


def _edge(a: Corner, b: Corner) -> str:
    return f"({a[0]:g}, {a[1]:g})-({b[0]:g}, {b[1]:g})"


def _turn(a: Corner, b: Corner, c: Corner) -> int:
    """Give the side of the line a-b that c is on: -1, 0 (in line) or 1."""
    cross = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return 0 if abs(cross) <= _ON_LINE else (1 if cross > 0 else -1)


def _within(a: Corner, b: Corner, c: Corner) -> bool:
    """Say whether c, in line with a-b, lies between them."""
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])


def _meet(a: Corner, b: Corner, c: Corner, d: Corner) -> bool:
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(turn == 0 and _within(*end) for turn, end in zip(turns, ends, strict=True))


def _fold(a: Corner, b: Corner, c: Corner, d: Corner) -> bool:
    """Say whether two edges that share one corner run back over each other."""
    shared, one, two = (b, a, d) if b == c else (a, b, c)
    dot = (one[0] - shared[0]) * (two[0] - shared[0]) + (one[1] - shared[1]) * (two[1] - shared[1])
    return _turn(shared, one, two) == 0 and dot > 0
