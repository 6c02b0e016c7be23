"""Laws of the motion filter: seconds, body heights, and no surprise when nothing is seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.motion import Motion, MotionParams
from detector.types import F64

PARAMS = MotionParams()
BOX = np.array([[100.0, 100.0, 140.0, 200.0]])
ONE = np.array([0])


def walked(fps: float, seconds: float, speed_px_s: float, height: float = 100.0) -> Motion:
    """A body of `height` that walked to the right for `seconds`."""
    box = np.array([[0.0, 0.0, height * 0.4, height]])
    motion = Motion.start(box, PARAMS)
    for n in range(1, round(seconds * fps) + 1):
        motion.predict(1 / fps, PARAMS)
        shift = np.array([speed_px_s * n / fps, 0.0, speed_px_s * n / fps, 0.0])
        motion.correct(ONE, box + shift, np.array([False]), PARAMS)
    return motion


def test_a_new_body_is_where_it_was_seen() -> None:
    """The box that starts a body comes back unchanged."""
    np.testing.assert_allclose(Motion.start(BOX, PARAMS).boxes(), BOX)


@pytest.mark.parametrize("fps", [2.0, 5.0, 25.0])
def test_speed_is_found_at_any_rate(fps: float) -> None:
    """After three seconds of walking the speed is right within a tenth at 2, 5 and 25 pictures a second."""
    assert walked(fps, 3.0, 80.0).speed[0] == pytest.approx([80.0, 0.0], abs=8.0)


@given(st.floats(0.05, 1.0), st.integers(2, 10))
def test_prediction_in_parts_reaches_the_same_place(dt: float, parts: int) -> None:
    """Predicting in several small steps or in one large one ends at the same place and speed."""
    whole, small = walked(5.0, 2.0, 60.0), walked(5.0, 2.0, 60.0)
    whole.predict(dt, PARAMS)
    for _ in range(parts):
        small.predict(dt / parts, PARAMS)
    np.testing.assert_allclose(whole.place, small.place)
    np.testing.assert_allclose(whole.speed, small.speed)


@given(st.floats(0.1, 10.0))
def test_a_near_body_is_followed_like_a_far_one(scale: float) -> None:
    """A scene drawn larger gives the same motion drawn larger."""
    small, large = walked(5.0, 2.0, 60.0), walked(5.0, 2.0, 60.0 * scale, 100.0 * scale)
    np.testing.assert_allclose(large.place, small.place * scale)
    np.testing.assert_allclose(large.spread, small.spread)


def test_an_unseen_body_slows_down() -> None:
    """Speed fades by 1/e in `fade_s`, and the place stays within what that speed can reach."""
    motion = walked(10.0, 3.0, 50.0)
    speed, place = motion.speed[0, 0], motion.place[0, 0]
    motion.predict(PARAMS.fade_s, PARAMS)
    assert motion.speed[0, 0] == pytest.approx(speed / np.e)
    motion.predict(1e6, PARAMS)
    assert motion.place[0, 0] == pytest.approx(place + speed * PARAMS.fade_s, abs=1.0)


def test_a_weak_detection_pulls_less() -> None:
    """The same box moves a body less when it is weak."""
    pulls = []
    for weak in (False, True):
        motion = Motion.start(BOX, PARAMS)
        motion.predict(0.2, PARAMS)
        motion.correct(ONE, BOX + 10.0, np.array([weak]), PARAMS)
        pulls.append(float(motion.place[0, 0]))
    assert 120.0 < pulls[1] < pulls[0] <= 130.0


def test_uncertainty_stays_positive_and_grows_unseen() -> None:
    """Variances stay positive through hours of updates, and grow while nothing is seen."""
    motion = walked(25.0, 200.0, 0.0)
    before: F64 = motion.spread.copy()
    motion.predict(1.0, PARAMS)
    assert (before[[0, 2, 3]] > 0).all()
    assert (motion.spread[[0, 2, 3]] > before[[0, 2, 3]]).all()


def test_keep_and_add_go_row_by_row() -> None:
    """Keeping and adding bodies moves whole rows."""
    motion = Motion.start(np.concatenate([BOX, BOX + 50, BOX + 90]), PARAMS)
    motion.keep(np.array([True, False, True]))
    motion.add(Motion.start(BOX + 7, PARAMS))
    np.testing.assert_allclose(motion.boxes(), np.concatenate([BOX, BOX + 90, BOX + 7]))
    assert len(motion) == 3
