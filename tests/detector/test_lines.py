"""Laws of lines: two sides, told from the first point to the second, and a way that meets the line or passes it."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from detector.errors import ConfigError
from detector.lines import LEFT, ON, RIGHT, Line

SHARE = st.floats(0, 1)
SPOT = st.tuples(SHARE, SHARE)
LEVEL = Line("door", ((0.2, 0.5), (0.8, 0.5)))


def test_right_is_the_right_hand_of_who_walks_along_it() -> None:
    """Of a line drawn to the right of the picture the right side is below it; drawn back, above."""
    assert (LEVEL.side((0.5, 0.9)), LEVEL.side((0.5, 0.1)), LEVEL.side((0.1, 0.5))) == (RIGHT, LEFT, ON)
    assert Line("back", ((0.8, 0.5), (0.2, 0.5))).side((0.5, 0.9)) == LEFT


def test_a_way_past_its_end_does_not_meet_it() -> None:
    """Between its points the line is met, ends included; beyond them it is passed."""
    assert LEVEL.met_by((0.5, 0.4), (0.5, 0.6))
    assert LEVEL.met_by((0.2, 0.4), (0.2, 0.6))
    assert not LEVEL.met_by((0.1, 0.4), (0.1, 0.6))
    assert not LEVEL.met_by((0.9, 0.6), (0.9, 0.4))


@given(a=SPOT, b=SPOT, p=SPOT)
def test_turning_a_line_round_swaps_its_sides(
    a: tuple[float, float], b: tuple[float, float], p: tuple[float, float]
) -> None:
    """What is right of a line is left of the same line drawn back."""
    assume(abs(a[0] - b[0]) + abs(a[1] - b[1]) > 0.01)
    there, back = Line("x", (a, b)), Line("x", (b, a))
    assume(abs((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])) > 1e-9)
    assert there.side(p) == -back.side(p) != ON


@given(p=SPOT, q=SPOT)
def test_meeting_does_not_depend_on_the_direction_of_the_way(
    p: tuple[float, float], q: tuple[float, float]
) -> None:
    """The way there meets the line exactly if the way back does."""
    assert LEVEL.met_by(p, q) == LEVEL.met_by(q, p)


def test_its_heading_is_in_pixels() -> None:
    """The way along a line takes the picture's shape into account."""
    assert Line("x", ((0.0, 0.0), (0.5, 0.5))).heading(640, 480) == (320, 240)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (((0.1, 0.1),), "number of points"),
        (((0.1, 0.1), (0.2, 0.2), (0.3, 0.3)), "number of points"),
        (((0.1, 0.1), (0.1, 0.1)), "too short"),
        (((0.1, float("nan")), (0.2, 0.2)), "corner 1"),
        (((0.1, 0.1), (320, 240)), "corner 2"),
    ],
)
def test_what_is_no_line_is_refused(points, said: str) -> None:
    """Not two points, two that are one, or points outside the picture are refused by name."""
    with pytest.raises(ConfigError, match=said) as caught:
        Line("door", points)
    assert "line 'door'" in str(caught.value)


def test_a_line_wants_a_name() -> None:
    """A name that cannot be read is refused."""
    with pytest.raises(ConfigError, match="bad line name"):
        Line(" ", ((0.1, 0.1), (0.9, 0.9)))
