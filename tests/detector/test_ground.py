"""Laws of the body scale: learned from walkers, robust to wrong boxes, never zero, bounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.people import HEIGHT, WIDTH, Person, stamp, tracks

from detector.errors import ConfigError
from detector.ground import BodyScale, BodyScaleParams, ScaleState
from detector.types import F32, Tracks

A, B = 10.0, 0.2  # the true line of the made-up camera
YS = np.array([[640, 300], [640, 600], [640, 900]], np.float32)


def true_px(y: float) -> float:
    return A + B * y


def sized(rows: Tracks, tall: list[float]) -> Tracks:
    """The same feet, other heights (width 0.4 of them)."""
    boxes = rows.boxes.copy()
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    h = np.array(tall, np.float32)
    boxes[:, 0], boxes[:, 2], boxes[:, 1] = middle - 0.2 * h, middle + 0.2 * h, boxes[:, 3] - h
    return replace(rows, boxes=boxes)


def walk(scale: BodyScale, *, lie: float = 0.0, seconds: float = 40.0, seed: int = 1) -> None:
    """Four people walk up and down the picture; a share `lie` of the boxes is far too short or too tall."""
    random = np.random.default_rng(seed)
    for t in np.arange(2.0, seconds, 0.25):
        ys = [350 + 500 * abs((t / (7 + k)) % 2 - 1) for k in range(4)]
        tall = [true_px(y) * random.normal(1, 0.03) for y in ys]
        tall = [h * random.choice([0.5, 1.6]) if random.random() < lie else h for h in tall]
        people = [Person(k, 200 + 250 * k, y) for k, y in enumerate(ys)]
        scale.step(sized(tracks(t, people), tall), stamp(float(t)))


@pytest.mark.parametrize("lie", [0.0, 0.25])
def test_line_is_learned_from_walkers(lie: float) -> None:
    """Height against foot y comes out within 5 %, a quarter of wrong boxes or not."""
    scale = BodyScale()
    walk(scale, lie=lie)
    assert scale.body_px(YS) == pytest.approx([true_px(y) for y in (300, 600, 900)], rel=0.05)


def test_own_height_serves_until_the_line_is_known() -> None:
    """Before enough is learned each foot point has the smoothed height of the track that stands there."""
    scale = BodyScale()
    people = [Person(1, 200, 400), Person(2, 900, 500)]
    scale.step(sized(tracks(0.0, people), [80, 120]), stamp(0.0))
    feet = np.array([[900, 500], [200, 400]], np.float32)
    assert scale.body_px(feet) == pytest.approx([120, 80])
    scale.step(sized(tracks(0.1, people), [40, 120]), stamp(0.1))
    assert 70 < scale.body_px(feet)[1] < 80


def test_somebody_is_tall_even_when_nobody_was_seen() -> None:
    """With no track at all the answer is still a positive height, and none for no foot point."""
    scale = BodyScale()
    assert (scale.body_px(YS) > 0).all()
    scale.step(Tracks.empty(), stamp(0.0))
    assert (scale.body_px(YS) > 0).all()
    assert scale.body_px(np.zeros((0, 2), np.float32)).shape == (0,)


@pytest.mark.parametrize("case", ["standing", "coasting", "young", "cut", "bent", "overlapping"])
def test_what_is_no_whole_walking_person_teaches_nothing(case: str) -> None:
    """Things that never move count once; lost, new, cut, bent and half-hidden bodies do not count at all."""
    scale = BodyScale()
    for i, t in enumerate(np.arange(2.0, 32.0, 0.25)):
        x = 300.0 if case == "standing" else 100.0 + 9 * i
        people = [Person(1, x, 500)]
        if case == "overlapping":
            people.append(Person(2, x + 10, 510))
        rows = tracks(t, people, body_px=30.0)
        if case == "coasting":
            rows = replace(rows, seen_t=rows.seen_t - 0.1)
        if case == "young":
            rows = replace(rows, born_t=rows.seen_t - 0.5)
        if case == "cut":
            rows = tracks(t, [Person(1, x, HEIGHT + 5.0)], body_px=30.0)
        if case == "bent":
            rows = replace(rows, boxes=rows.boxes + np.array([-20, 0, 20, 0], np.float32))
        scale.step(rows, stamp(float(t)))
    walk_only = BodyScale()
    walk(walk_only)
    walk(scale)
    assert scale.body_px(YS) == pytest.approx(walk_only.body_px(YS), rel=0.03)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    feet=st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=1, max_size=5),
)
def test_scale_is_positive_and_finite_whatever_is_fed(seed: int, feet: list[tuple[float, float]]) -> None:
    """Random boxes, taller ones far away included, never give zero, negative or infinite bodies."""
    random = np.random.default_rng(seed)
    scale = BodyScale(BodyScaleParams(min_samples=6))
    for k in range(20):
        people = [Person(i, *random.uniform(0, (WIDTH, HEIGHT))) for i in range(6)]
        rows = sized(tracks(2.0 + k, people), random.uniform(0, 400, 6).tolist())
        scale.step(rows, stamp(2.0 + k))
        points: F32 = np.array(feet, np.float32)
        for values in (scale.body_px(points), scale.depth_gain(points)):
            assert np.isfinite(values).all()
            assert (values > 0).all()


def test_depth_counts_more_the_flatter_the_view() -> None:
    """Up-down pixels are worth more near the horizon, never less than sideways ones, 2 while unknown."""
    scale = BodyScale()
    assert scale.depth_gain(YS) == pytest.approx([2, 2, 2])
    walk(scale)
    far, middle, near = scale.depth_gain(YS).tolist()
    assert far > middle > near >= 1


def test_seen_from_above_depth_is_as_it_looks() -> None:
    """Bodies equally tall everywhere mean a camera without horizon: no stretch."""
    scale = BodyScale()
    for t in np.arange(2.0, 60.0, 0.25):
        y = 150 + 700 * abs((t / 9) % 2 - 1)
        scale.step(sized(tracks(t, [Person(1, 300, y), Person(2, 900, 1000 - y)]), [90, 90]), stamp(float(t)))
    assert scale.depth_gain(YS) == pytest.approx([1, 1, 1], abs=0.35)


def test_reset_forgets() -> None:
    """After a reset the scale is as at the start."""
    scale = BodyScale()
    walk(scale)
    scale.reset()
    assert scale.body_px(YS) == pytest.approx(BodyScale().body_px(YS), abs=200)
    assert scale.depth_gain(YS) == pytest.approx([2, 2, 2])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("min_samples", 2),
        ("per_band", 0),
        ("smooth_s", 0),
        ("focal_widths", float("nan")),
        ("stride_bh", -1),
        ("upright_ratio", 0),
        ("max_gain", 0.5),
        ("max_overlap", 2),
        ("min_age_s", -1),
    ],
)
def test_bad_parameter_is_named(field: str, value: float) -> None:
    """A parameter out of range is refused by name."""
    with pytest.raises(ConfigError, match=field):
        BodyScaleParams(**{field: value})


def visitors(
    scale: BodyScale,
    since: float,
    seconds: float,
    *,
    zoom: float = 1.0,
    first_id: int = 100,
    top: float = 320,
) -> float:
    """People who come and go, each for 8 s, from `top` px to below; `zoom`: how tall. Gives the time."""
    random = np.random.default_rng(2)
    for t in np.arange(since, since + seconds, 0.25):
        people, tall = [], []
        for k in range(3):
            visit, way = divmod(t + 2.5 * k, 8.0)
            y = top + (880 - top) * way / 8
            people.append(Person(first_id + 3 * int(visit) + k, 200 + 250 * k, y))
            tall.append(zoom * true_px(y) * random.normal(1, 0.03))
        rows = sized(tracks(t, people), tall)
        scale.step(replace(rows, born_t=rows.seen_t - 2), stamp(float(t)))
    return since + seconds


def test_one_who_paces_does_not_become_the_measure() -> None:
    """A child who walks up and down for minutes does not make everybody smaller."""
    scale = BodyScale()
    end = visitors(scale, 2.0, 40.0)
    for t in np.arange(end, end + 200.0, 0.25):
        y = 500 + 350 * abs((t / 11) % 2 - 1)
        scale.step(sized(tracks(t, [Person(7, 600, y)], born_t=end - 2), [0.6 * true_px(y)]), stamp(float(t)))
    assert scale.body_px(YS) == pytest.approx([true_px(y) for y in (300, 600, 900)], rel=0.08)


def test_another_view_is_learned_anew() -> None:
    """After the camera was zoomed two minutes of people are enough, also where they walk in a part of it only."""
    scale = BodyScale()
    end = visitors(scale, 2.0, 100.0)
    visitors(scale, end, 120.0, zoom=1.5, first_id=2000, top=600)
    seen = YS[1:]
    assert scale.body_px(seen) == pytest.approx([1.5 * true_px(y) for y in (600, 900)], rel=0.05)


def test_a_few_small_people_are_not_another_view() -> None:
    """Three children in turn do not throw away what was learned of many people."""
    scale = BodyScale()
    end = visitors(scale, 2.0, 100.0)
    for k in range(3):
        for t in np.arange(end + 10 * k, end + 10 * k + 9, 0.25):
            y = 350 + 55 * (t - end - 10 * k)
            rows = sized(tracks(t, [Person(900 + k, 600, y)]), [0.6 * true_px(y)])
            scale.step(rows, stamp(float(t)))
    assert scale.body_px(YS) == pytest.approx([true_px(y) for y in (300, 600, 900)], rel=0.05)


def test_what_was_learned_can_be_given_back() -> None:
    """A scale made of another's state answers as that one does, from the first picture on; nothing learned, no state."""
    scale = BodyScale()
    assert scale.state() is None
    walk(scale)
    state = scale.state()
    assert state is not None
    again = BodyScale.from_state(state)
    assert again.state() == state
    assert again.body_px(YS) == pytest.approx(scale.body_px(YS), rel=0.01)
    assert again.depth_gain(YS) == pytest.approx(scale.depth_gain(YS), rel=0.02)
    again.step(Tracks.empty(), stamp(0.0))
    assert again.body_px(YS) == pytest.approx(scale.body_px(YS), rel=0.01)
    again.step(Tracks.empty(), stamp(1.0, size=(640, 480)))
    assert again.state() is None


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(allow_nan=True), st.floats(allow_nan=True)), max_size=40),
    st.integers(-1, 2000),
    st.integers(-1, 2000),
)
def test_a_state_that_cannot_be_is_refused(
    samples: list[tuple[float, float]], width: int, height: int
) -> None:
    """Whatever a state holds, it is refused or gives finite bodies: NaN and infinity never get in."""
    try:
        state = ScaleState(width, height, tuple(samples))
    except ValueError:
        return
    assert (BodyScale.from_state(state).body_px(YS) > 0).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_what_is_kept_is_bounded(seed: int) -> None:
    """However many people pass, samples and tracks that are remembered stay within their bounds."""
    random = np.random.default_rng(seed)
    params = BodyScaleParams(per_band=6, min_samples=6)
    scale = BodyScale(params)
    for k in range(60):
        people = [Person(10 * k + i, *random.uniform(100, (WIDTH - 100, HEIGHT - 100))) for i in range(10)]
        scale.step(sized(tracks(2.0 + k, people), random.uniform(40, 100, 10).tolist()), stamp(2.0 + k))
    state = scale.state()
    assert state is not None
    assert len(state.samples) <= 16 * params.per_band
    assert len(scale._teachers) <= 64
