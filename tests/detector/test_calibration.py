"""Laws of calibration: metres come out as they went in, at any picture size; what says nothing is refused."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.people import HEIGHT, WIDTH, Person, detections, stamp, tracks
from support.pinhole import Pinhole

from detector.calibration import BODY_M, Calibration
from detector.errors import ConfigError
from detector.groups import Grouper
from detector.rules.gathering import Gathering, GatheringParams
from detector.scene import Scene
from detector.types import Observation, Phase

CAMERA = Pinhole(width=WIDTH, height=HEIGHT)
RECTANGLE_M = np.array([(-3.0, 20.0), (3.0, 20.0), (3.0, 9.0), (-3.0, 9.0)])
CORNERS = CAMERA.share(RECTANGLE_M)
GROUND = Calibration.rectangle(CORNERS, 6.0, 11.0)
QUICK = GatheringParams(min_people=3, hold_s=5, gap_s=1, close_s=6)


def px(*spots: tuple[float, float]) -> np.ndarray:
    """Where points of the ground are in the picture."""
    return CAMERA.picture(np.array(spots)).astype(np.float32)


def observed(*spots: tuple[float, float], speed: float = 0.0) -> Observation:
    """Calibrated people at points of the ground, all walking to the right at `speed` m/s."""
    feet = px(*spots)
    ahead = px(*[(x + speed * 1e-3, y) for x, y in spots])
    people = [
        Person(i + 1, float(x), float(y), vx=float(v))
        for i, ((x, y), v) in enumerate(zip(feet, (ahead[:, 0] - feet[:, 0]) * 1e3, strict=True))
    ]
    rows = tracks(0.0, people)
    return Observation(
        stamp(0.0),
        rows,
        feet,
        GROUND.body_px(feet, WIDTH, HEIGHT),
        GROUND.depth_gain(feet, WIDTH, HEIGHT),
        GROUND.place(feet, rows.velocity, WIDTH, HEIGHT),
    )


@settings(max_examples=60, deadline=None)
@given(
    high=st.floats(2.5, 20),
    tilt=st.floats(10, 60),
    spot=st.tuples(st.floats(-4, 4), st.floats(8, 25)),
    pace=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    size=st.sampled_from([(1280, 960), (640, 480), (320, 240)]),
)
def test_metres_and_speeds_are_true_at_every_picture_size(
    high: float, tilt: float, spot: tuple[float, float], pace: tuple[float, float], size: tuple[int, int]
) -> None:
    """Distances and speeds on the ground come out in metres, whatever the camera and the picture's size (TRK-03)."""
    camera = Pinhole(high, tilt)
    picture = np.clip(camera.share(RECTANGLE_M), 0.0, 1.0)
    if (picture != np.array(camera.share(RECTANGLE_M))).any():
        return  # the rectangle is not in this view
    ground = Calibration.rectangle([(x, y) for x, y in picture.tolist()], 6.0, 11.0)
    both = np.array([spot, (spot[0] + pace[0] * 1e-4, spot[1] + pace[1] * 1e-4), (0.0, 12.0)])
    at = camera.picture(both) * (np.array(size) / (camera.width, camera.height))
    velocity = np.zeros((3, 2), np.float32)
    velocity[0] = (at[1] - at[0]) * 1e4
    placed = ground.place(at.astype(np.float32), velocity, *size)
    assert np.hypot(*(placed.at_m[0] - placed.at_m[2])) == pytest.approx(
        np.hypot(spot[0], spot[1] - 12.0), abs=0.03
    )
    assert np.hypot(*placed.velocity_m_s[0]) == pytest.approx(np.hypot(*pace), abs=0.05)


def test_four_points_need_not_be_a_rectangle() -> None:
    """Any four points whose places are known do, in axes of any direction."""
    spots = np.array([(-4.0, 22.0), (5.0, 18.0), (2.0, 9.0), (-2.0, 10.0)])
    turned = np.column_stack([spots[:, 1], -spots[:, 0]]) + 100.0
    ground = Calibration(CAMERA.share(spots), tuple((x, y) for x, y in turned.tolist()))
    feet = px((0.0, 15.0), (3.0, 11.0))
    at = ground.place(feet, np.zeros((2, 2), np.float32), WIDTH, HEIGHT).at_m
    assert at == pytest.approx(np.array([(115.0, 100.0), (111.0, 97.0)]), abs=0.01)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)), min_size=1, max_size=8),
    st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
)
def test_every_point_has_a_finite_place(
    points: list[tuple[float, float]], velocity: tuple[float, float]
) -> None:
    """At and above the horizon, and far outside the picture, places, speeds and units stay finite."""
    feet = np.array(points, np.float32)
    placed = GROUND.place(feet, np.tile(np.array(velocity, np.float32), (len(feet), 1)), WIDTH, HEIGHT)
    assert np.isfinite(placed.at_m).all()
    assert np.isfinite(placed.velocity_m_s).all()
    for unit in (GROUND.body_px(feet, WIDTH, HEIGHT), GROUND.depth_gain(feet, WIDTH, HEIGHT)):
        assert np.isfinite(unit).all()
        assert (unit > 0).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=4, max_size=4))
def test_random_points_are_refused_or_serve(corners: list[tuple[float, float]]) -> None:
    """Four points either give finite metres at each of them, the right ones, or are refused."""
    try:
        ground = Calibration.rectangle(corners, 4.0, 5.0)
    except ConfigError:
        return
    feet = (np.array(corners) * (1000.0, 1000.0)).astype(np.float32)
    at = ground.place(feet, np.zeros((4, 2), np.float32), 1000, 1000).at_m
    assert at == pytest.approx(np.array(ground.metres), abs=0.05)


@pytest.mark.parametrize(
    ("field", "corners", "message"),
    [
        ("corners", CORNERS[:3], "not four points"),
        ("corners", (*CORNERS, (0.5, 0.5)), "not four points"),
        ("corners", ((0.1, 0.1), (0.5, 0.5), (0.9, 0.9), (0.1, 0.9)), "points 1, 2 and 3"),
        ("corners", ((0.1, 0.1), (0.1, 0.1), (0.9, 0.9), (0.1, 0.9)), "in one line"),
        ("corners", ((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)), "cross"),
        ("corners", ((0.1, 0.1), (0.9, 0.1), (0.3, 0.3), (0.1, 0.9)), "point 3 lies inside"),
        ("corners", ((0.5, 0.5), (0.51, 0.5), (0.51, 0.51), (0.5, 0.51)), "too small"),
        ("corners", ((0.1, float("nan")), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)), "out of range"),
        ("corners", ((100.0, 80.0), (900.0, 80.0), (900.0, 700.0), (100.0, 700.0)), "Divide pixels"),
        ("metres", ((0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (0.0, 3.0)), "in one line"),
        ("metres", ((0.0, 0.0), (5.0, 5.0), (5.0, 0.0), (0.0, 5.0)), "cross"),
        ("metres", ((0.0, 0.0), (5.0, 0.0), (5.0, float("inf")), (0.0, 5.0)), "out of range"),
    ],
)
def test_what_cannot_be_a_calibration_is_named(
    field: str, corners: tuple[tuple[float, float], ...], message: str
) -> None:
    """Too few, equal, collinear, crossing, dented, tiny and infinite points are refused, and pixels too (TRK-03)."""
    values = {"corners": CORNERS, "metres": ((0.0, 0.0), (6.0, 0.0), (6.0, 11.0), (0.0, 11.0))}
    with pytest.raises(ConfigError, match=message) as caught:
        Calibration(**(values | {field: corners}))
    assert caught.value.where == field


@pytest.mark.parametrize(("apart_m", "n_groups"), [(1.7, 1), (1.9, 0)])
@pytest.mark.parametrize("y", [10.0, 20.0])
@pytest.mark.parametrize("along", [False, True])
def test_people_are_linked_within_1_8_metres(apart_m: float, n_groups: int, y: float, along: bool) -> None:
    """With calibration the link distance is 1.8 m, near and far, across and along the view."""
    other = (0.5, y + apart_m) if along else (0.5 + apart_m, y)
    assert len(Grouper().step(observed((0.5, y), other))) == n_groups


def test_speed_and_spread_of_a_group_are_exact() -> None:
    """A group that walks at 0.9 m/s goes half a body height of 1.8 m a second; its spread is that on the floor."""
    group = Grouper().step(observed((0.0, 18.0), (1.2, 18.0), speed=0.9))[0]
    assert group.speed_bh_s == pytest.approx(0.9 / BODY_M, rel=0.02)
    assert group.spread_bh == pytest.approx(0.6 / BODY_M, rel=0.02)


def test_a_gathering_is_told_in_metres() -> None:
    """On a calibrated camera an alert tells spread in metres, and the sentence says so."""
    spots = [(-0.6, 12.0), (0.6, 12.0), (0.0, 13.0)]
    scene = Scene("cam", UUID(int=1), [Gathering(QUICK)], calibration=GROUND)
    people = [Person(i, float(x), float(y)) for i, (x, y) in enumerate(px(*spots))]
    alerts = [a for k in range(60) for a in scene.step(stamp(k / 5), detections(people)).alerts]
    alerts += scene.end("source ended")
    assert [a.phase for a in alerts] == [Phase.OPENED, Phase.CLOSED]
    middle = np.array(spots).mean(axis=0)
    spread_m = float(np.hypot(*(np.array(spots) - middle).T).mean())
    assert alerts[0].facts["spread_m"] == pytest.approx(spread_m, abs=0.05)
    assert f"spread {spread_m:.1f} m" in alerts[0].reason


def test_a_calibrated_scene_gives_the_same_at_half_the_size() -> None:
    """Half the picture size changes neither group nor distance (TRK-03)."""
    feet, still = px((0.0, 12.0), (1.5, 15.0)), np.zeros((2, 2), np.float32)
    whole = GROUND.place(feet, still, WIDTH, HEIGHT)
    half = GROUND.place(feet / 2, still, WIDTH // 2, HEIGHT // 2)
    np.testing.assert_allclose(whole.at_m, half.at_m, atol=1e-3)
