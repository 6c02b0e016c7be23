"""Laws of the state machine on the distance of hands."""

from __future__ import annotations

import numpy as np
import pytest

from detector.handoff_baseline import TouchParams, touches
from detector.types import F32, F64

LIMITS = TouchParams()


def course(*stretches: tuple[float, float], rate_hz: float = 10) -> tuple[F64, F32]:
    """Distances that stay at a value for a time, one stretch after another."""
    gaps = np.concatenate([np.full(round(seconds * rate_hz), value) for value, seconds in stretches])
    return np.arange(len(gaps)) / rate_hz, gaps.astype(np.float32)


def far(gaps: F32) -> F32:
    """Bodies well apart all the time."""
    return np.full(len(gaps), 1.5, np.float32)


def test_near_touch_part_is_one_touch() -> None:
    """Hands that come together for half a second and part are one touch, at the nearest moment."""
    times, gaps = course((1.2, 1), (0.3, 0.5), (1.2, 1))
    gaps[12] = 0.1
    (touch,) = touches(times, gaps, far(gaps))
    assert touch.nearest_t == pytest.approx(1.2)
    assert touch.parted
    assert touch.score > 0.5


def test_a_long_touch_is_no_handover() -> None:
    """Hands that stay together longer than `longest_s` are held, not passing something."""
    times, gaps = course((1.2, 1), (0.2, LIMITS.longest_s + 1), (1.2, 1))
    (touch,) = touches(times, gaps, far(gaps))
    assert touch.score == 0


def test_a_hug_is_no_handover() -> None:
    """When the trunks overlap, the touch counts nothing."""
    times, gaps = course((1.2, 1), (0.2, 0.5), (1.2, 1))
    (touch,) = touches(times, gaps, np.full(len(gaps), 0.3, np.float32))
    assert touch.score == 0


def test_never_near_is_nothing() -> None:
    """People who keep their hands to themselves have no touch."""
    times, gaps = course((0.9, 3))
    assert touches(times, gaps, far(gaps)) == []


def test_between_the_limits_a_touch_goes_on() -> None:
    """A touch ends only when hands have parted clearly: trembling at the limit is one touch."""
    times, gaps = course((1.2, 0.5), (0.4, 0.2), (0.5, 0.2), (0.4, 0.2), (1.2, 0.5))
    assert len(touches(times, gaps, far(gaps))) == 1


def test_what_is_not_seen_changes_nothing() -> None:
    """Moments without hands are passed over; all of them unknown is no touch."""
    times, gaps = course((1.2, 1), (0.2, 0.5), (1.2, 1))
    gaps[[3, 11, 20]] = np.nan
    assert len(touches(times, gaps, far(gaps))) == 1
    assert touches(times, np.full(len(gaps), np.nan, np.float32), far(gaps)) == []


def test_a_touch_that_still_lasts_is_told() -> None:
    """Hands still together at the end are a touch that has not parted, worth less."""
    times, gaps = course((1.2, 1), (0.2, 0.5))
    (touch,) = touches(times, gaps, far(gaps))
    assert not touch.parted
    assert 0 < touch.score < 1
