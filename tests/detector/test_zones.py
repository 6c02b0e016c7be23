"""Laws of zones: half-open masks, clamped anchors, and polygons refused by name."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import ConfigError
from detector.zones import Zone

U_SHAPE = ((0.1, 0.1), (0.3, 0.1), (0.3, 0.7), (0.7, 0.7), (0.7, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
unit = st.floats(0, 1, allow_subnormal=False)
coarse = st.integers(0, 16).map(lambda k: k / 16)


def inside(
    polygon: tuple[tuple[float, float], ...], x: float, y: float, size: tuple[int, int] = (640, 640)
) -> bool:
    return bool(Zone("z", polygon).contains(np.array([[x, y]], np.float32), *size)[0])


@given(
    cuts=st.tuples(coarse, coarse).filter(lambda c: 0 < c[0] < 1 and 0 < c[1] < 1),
    points=st.lists(st.tuples(coarse, coarse), min_size=1, max_size=40),
)
def test_four_neighbours_round_a_corner_count_each_point_once(
    cuts: tuple[float, float], points: list[tuple[float, float]]
) -> None:
    """Zones that share edges and a corner hold every point exactly once, those on the shared edges too."""
    cx, cy = cuts
    zones = [
        Zone("a", ((0, 0), (cx, 0), (cx, cy), (0, cy))),
        Zone("b", ((cx, 0), (1, 0), (1, cy), (cx, cy))),
        Zone("c", ((0, cy), (cx, cy), (cx, 1), (0, 1))),
        Zone("d", ((cx, cy), (1, cy), (1, 1), (cx, 1))),
    ]
    px = (np.array(points) * 1024).astype(np.float32)
    assert (sum(z.contains(px, 1024, 1024).astype(int) for z in zones) == 1).all()


@given(
    top=unit,
    bottom=unit,
    kink=st.tuples(unit.filter(lambda v: 0.05 < v < 0.95), unit),
    share=unit,
    seed=st.integers(0, 999),
)
def test_neighbours_share_a_slanted_edge(
    top: float, bottom: float, kink: tuple[float, float], share: float, seed: int
) -> None:
    """Whatever the slant of a shared edge, a point on it or near it is in exactly one of the two zones."""
    x0, x1 = 0.1 + 0.8 * top, 0.1 + 0.8 * bottom
    mx, my = 0.1 + 0.8 * kink[1], 0.1 + 0.8 * kink[0]
    left = Zone("left", ((0, 0), (x0, 0), (mx, my), (x1, 1), (0, 1)))
    right = Zone("right", ((1, 1), (x1, 1), (mx, my), (x0, 0), (1, 0)))
    on_edge = [(x0 + share * (mx - x0), share * my), (mx, my), (x0, 0.0)]
    random = np.random.default_rng(seed).uniform(0, 1, (50, 2))
    points = (np.vstack([on_edge, random]) * 4096).astype(np.float32)
    assert (left.contains(points, 4096, 4096) ^ right.contains(points, 4096, 4096)).all()


@given(points=st.lists(st.tuples(unit, unit), min_size=1, max_size=30), turn=st.integers(0, 7))
def test_direction_start_and_closing_do_not_matter(points: list[tuple[float, float]], turn: int) -> None:
    """A ring read backwards, from another corner or closed is the same zone."""
    px = (np.array(points) * 800).astype(np.float32)
    want = Zone("u", U_SHAPE).contains(px, 800, 800)
    turned = U_SHAPE[turn:] + U_SHAPE[:turn]
    for ring in (turned, turned[::-1], (*turned, turned[0])):
        assert (Zone("u", ring).contains(px, 800, 800) == want).all()
    assert len(Zone("u", (*U_SHAPE, U_SHAPE[0])).polygon) == len(U_SHAPE)


def test_notch_of_a_u_is_outside() -> None:
    """A concave zone holds its arms and its floor, not its notch."""
    assert not inside(U_SHAPE, 320, 200)
    assert inside(U_SHAPE, 120, 200)
    assert inside(U_SHAPE, 320, 500)


@pytest.mark.parametrize(
    "point",
    [(320, 640), (320, 5000), (640, 320), (-5, 320), (0, 0), (640, 640), (-1e9, 1e9), (320, math.inf)],
)
def test_anchor_at_or_beyond_the_edge_counts_in_the_full_picture(point: tuple[float, float]) -> None:
    """A foot point on or past any edge of the picture is clamped into it and counts there."""
    assert inside(((0, 0), (1, 0), (1, 1), (0, 1)), *point)


def test_reaches_the_lower_edge_only_when_drawn_there() -> None:
    """Someone cut by the lower edge counts in a zone drawn down to it and not in one that ends above."""
    assert inside(((0.2, 0.5), (0.8, 0.5), (0.8, 1), (0.2, 1)), 320, 700)
    assert not inside(((0.2, 0.5), (0.8, 0.5), (0.8, 0.9), (0.2, 0.9)), 320, 700)


def test_nan_is_nowhere_and_nobody_is_fine() -> None:
    """A foot point that is not a number is in no zone; no points give an empty mask."""
    assert not inside(((0, 0), (1, 0), (1, 1), (0, 1)), math.nan, 100)
    assert Zone("z", U_SHAPE).contains(np.zeros((0, 2), np.float32), 640, 480).shape == (0,)


@given(points=st.lists(st.tuples(coarse, coarse), min_size=1))
def test_same_answer_at_another_picture_size(points: list[tuple[float, float]]) -> None:
    """Zones are 0-1 of the picture: the same place in a smaller picture is in the same zone."""
    zone = Zone("z", U_SHAPE)
    spots = np.array(points) * 0.9
    big = zone.contains((spots * 640).astype(np.float32), 640, 640)
    small = zone.contains((spots * 320).astype(np.float32), 320, 320)
    assert (big == small).all()


def test_someone_walking_across_neighbours_is_counted_once_in_each_picture() -> None:
    """Left plus right is 1 in every picture of a walk over their shared edge."""
    left = Zone("left", ((0.125, 0), (0.5, 0), (0.5, 1), (0.125, 1)))
    right = Zone("right", ((0.5, 0), (0.875, 0), (0.875, 1), (0.5, 1)))
    walk = np.array([(x, 400) for x in np.linspace(200, 440, 121)], np.float32)
    assert (left.contains(walk, 640, 640).astype(int) + right.contains(walk, 640, 640) == 1).all()


@pytest.mark.parametrize(
    ("polygon", "names"),
    [
        (((0.2, 0.3), (0.8, 0.9), (0.8, 0.3), (0.2, 0.9)), ("edge 1", "edge 3")),
        (((0.1, 0.1), (0.9, 0.9)), ("number of corners", "got 2")),
        ((), ("number of corners", "got 0")),
        (((0.1, 0.1), (0.5, 0.5), (0.5, 0.5), (0.1, 0.9)), ("corner 3", "corner 2")),
        (((0.0, 0.1), (0.1, 0.2), (0.2, 0.3)), ("edge 1", "edge 3")),
        (((0.1, 0.1), (0.9, 0.1), (0.5, 0.1), (0.5, 0.9)), ("edge 1", "edge 2")),
        (((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, 0.1), (0.1, 0.9)), ("edge 1", "edge 3")),
        (((0.1, 0.1), (0.1001, 0.1), (0.1001, 0.1001)), ("no area",)),
        (((0.1, math.nan), (0.9, 0.1), (0.9, 0.9)), ("corner 1", "finite")),
        (((0.1, 0.1), (math.inf, 0.1), (0.9, 0.9)), ("corner 2", "finite")),
        (((0.1, 0.1), (0.9, 0.1), (0.9, 1.2)), ("corner 3", "0-1", "1.2")),
        (((0.1, 0.1), (320.0, 0.1), (0.9, 0.9)), ("corner 2", "Divide pixels")),
        (((0.1, 0.1, 0.1), (0.9, 0.1), (0.9, 0.9)), ("corner 1", "x, y")),
        (tuple((0.5 + 0.4 * math.cos(k / 11), 0.5 + 0.4 * math.sin(k / 11)) for k in range(65)), ("got 65",)),
    ],
)
def test_bad_polygon_is_refused_by_name(
    polygon: tuple[tuple[float, float], ...], names: tuple[str, ...]
) -> None:
    """A polygon that means no area is refused with the zone and the corner or edges at fault."""
    with pytest.raises(ConfigError) as caught:
        Zone("lawn", polygon)
    for name in (*names, "lawn"):
        assert name in str(caught.value)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb"])
def test_bad_name_is_refused(name: str) -> None:
    """A zone needs a name people can read."""
    with pytest.raises(ConfigError, match="zone name"):
        Zone(name, U_SHAPE)


@given(corners=st.lists(st.tuples(coarse, coarse), min_size=3, max_size=9))
def test_accepted_polygon_has_edges_that_only_share_corners(corners: list[tuple[float, float]]) -> None:
    """Any accepted ring is simple: midpoints just left and right of each edge differ in being inside."""
    try:
        zone = Zone("z", tuple(corners))
    except ConfigError:
        return
    ring = np.array(zone.polygon)
    step = np.roll(ring, -1, axis=0) - ring
    normal = np.stack([-step[:, 1], step[:, 0]], axis=1) / np.hypot(*step.T)[:, None]
    middle = ring + step / 2
    eps = 1e-4
    size = 1_000_000
    one = zone.contains(((middle + eps * normal) * size).astype(np.float32), size, size)
    two = zone.contains(((middle - eps * normal) * size).astype(np.float32), size, size)
    on_border = (middle < 2 * eps).any(axis=1) | (middle > 1 - 2 * eps).any(axis=1)
    assert ((one ^ two) | on_border).all()


def test_redundant_corner_on_an_edge_is_fine() -> None:
    """A corner in the middle of a straight edge changes nothing."""
    assert inside(((0.1, 0.1), (0.5, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)), 320, 320)
