"""Laws of the eye, on made pictures and on the sample footage: each fault has its number, light has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from uuid import UUID

import av
import numpy as np
import pytest
from PIL import Image, ImageFilter

from benchmarks.footage import fetch_clip
from detector.rules.blind import BlindParams, Kind, Link, Sentinel, Sight
from detector.types import Stamp
from streams.frame import Frame
from streams.sight import LEARN_LOOKS, RELEARN_LOOKS, Eye

SMALL = (320, 180)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
Change = Callable[[Image.Image], Image.Image]


def street(seed: int, n: int, size: tuple[int, int] = (768, 432)) -> Iterator[Image.Image]:
    """Pictures of a made view with texture and sensor noise in which a dark block walks by."""
    rng = np.random.default_rng(seed)
    width, height = size
    coarse = Image.fromarray(rng.integers(40, 200, (12, 20), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    fine = Image.fromarray(rng.integers(0, 60, (54, 96), np.uint8)).resize(size, Image.Resampling.NEAREST)
    view = np.asarray(coarse, np.int16) + np.asarray(fine, np.int16) - 30
    for i in range(n):
        picture = view + rng.integers(-4, 5, view.shape)
        x = (i * 23) % (width - width // 12)
        picture[height // 2 : height * 5 // 6, x : x + width // 12] = 30
        yield Image.fromarray(picture.clip(0, 255).astype(np.uint8)).convert("RGB")


@pytest.fixture(scope="module")
def footage() -> list[Image.Image]:
    """The sample footage, a picture a second."""
    with av.open(str(fetch_clip("vtest", lambda *_: None))) as clip:
        return [frame.to_image() for frame in islice(clip.decode(video=0), 0, 500, 10)]


def frame(t: float, picture: Image.Image) -> Frame:
    at = START + timedelta(seconds=t)
    return Frame(Stamp("yard", 0, int(t), t, at, *picture.size), av.VideoFrame.from_image(picture))


class Watch:
    """An eye and a sentinel together, as an analysis uses them."""

    def __init__(self) -> None:
        self.eye, self.sentinel, self.t = Eye(), Sentinel(UUID(int=3), "yard", BlindParams()), 0.0
        self.kinds: list[Kind | None] = []
        self.sights: list[Sight] = []

    def see(self, pictures: Iterator[Image.Image] | list[Image.Image]) -> Watch:
        for picture in pictures:
            shown = frame(self.t, picture)
            sight = self.eye.look(shown)
            assert sight is not None
            self.sentinel.step(shown.stamp, Link(), sight)
            found = self.sentinel.found
            self.eye.learn(clear=found in (None, Kind.MOVED), usual=found is None)
            self.kinds.append(found)
            self.sights.append(sight)
            self.t += 1.0
        return self


def dimmed(share: float) -> Change:
    return lambda picture: picture.point(lambda v: v * share)


def blurred(picture: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(picture.width / 120))


def covered(picture: Image.Image) -> Image.Image:
    """Something near the lens: a glow of what is behind it."""
    far = np.asarray(picture.filter(ImageFilter.GaussianBlur(picture.width / 6)), float)
    return Image.fromarray((far * 0.1 + 70).astype(np.uint8))


def panned(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.roll(np.asarray(picture), picture.width // 12, axis=1))


def elsewhere(picture: Image.Image) -> Image.Image:
    return picture.rotate(180)


FAULTS = [
    (dimmed(0.04), Kind.DARK),
    (blurred, Kind.BLURRED),
    (covered, Kind.COVERED),
    (panned, Kind.MOVED),
    (elsewhere, Kind.MOVED),
]


@pytest.mark.parametrize(("change", "kind"), FAULTS)
def test_each_fault_of_a_made_view_is_seen(change: Change, kind: Kind) -> None:
    """Once the view is known, in every picture that has the fault, and never before or after."""
    watch = Watch().see(street(1, 60)).see(map(change, street(1, 10))).see(street(1, 10))
    assert watch.kinds == [None] * 60 + [kind] * 10 + [None] * 10


@pytest.mark.network
@pytest.mark.parametrize(("change", "kind"), FAULTS)
def test_each_fault_of_a_real_view_is_seen(footage: list[Image.Image], change: Change, kind: Kind) -> None:
    """People who walk through the picture are no fault of the camera's."""
    watch = Watch().see(footage).see(map(change, footage[20:30])).see(footage[:10])
    assert watch.kinds == [None] * len(footage) + [kind] * 10 + [None] * 10


@pytest.mark.network
@pytest.mark.parametrize("share", [0.35, 0.6, 1.6])
def test_light_is_no_fault(footage: list[Image.Image], share: float) -> None:
    """A picture that is darker or brighter shows the same view."""
    watch = Watch().see(footage).see(map(dimmed(share), footage[20:40]))
    assert set(watch.kinds) == {None}


def test_a_picture_that_stands_still_is_told_from_a_still_scene() -> None:
    """A scene in which nothing moves has the sensor's noise; a stream that hangs has none."""
    still = next(street(1, 1))
    rng = np.random.default_rng(5)
    noisy = [
        Image.fromarray(
            (np.asarray(still, np.int16) + rng.integers(-2, 3, (432, 768, 1))).clip(0, 255).astype(np.uint8)
        )
        for _ in range(80)
    ]
    assert max(sight.still_s for sight in Watch().see(noisy).sights) <= 1.0
    frozen = Watch().see([still] * 80)
    assert frozen.kinds[59] is None
    assert frozen.kinds[60] is Kind.FROZEN


def test_a_view_that_never_stays_the_same_is_never_judged() -> None:
    """A camera that turns all the time, or a picture without a background, has no usual view."""
    views = [picture for seed in range(60) for picture in street(seed, 1)]
    assert all(sight.likeness is None for sight in Watch().see(views).sights)


def test_a_new_view_becomes_usual_and_the_old_one_stays_so() -> None:
    """A camera that was turned on purpose is moved for a quarter of an hour; then both views are known."""
    old, new = list(street(1, 40, SMALL)), list(street(2, 40, SMALL))
    watch = Watch().see(old)
    for _ in range(RELEARN_LOOKS // 40 + 2):
        watch.see(new)
    changes = [i for i, (a, b) in enumerate(pairwise(watch.kinds), 1) if a is not b]
    assert watch.kinds[40] is Kind.MOVED
    assert len(changes) == 2
    assert RELEARN_LOOKS <= changes[1] - 40 <= RELEARN_LOOKS + 2
    assert set(watch.see(old).see(new).kinds[-80:]) == {None}


def test_a_dark_night_is_not_learned() -> None:
    """However long it lasts, the day after is the usual view."""
    watch = (
        Watch()
        .see(street(1, 40, SMALL))
        .see([dimmed(0.03)(next(street(1, 1, SMALL)))] * (RELEARN_LOOKS + 10))
    )
    assert watch.see(street(1, 5, SMALL)).kinds[-5:] == [None] * 5


def test_a_picture_is_looked_at_once_a_second() -> None:
    """The looks cost the same at any rate; the first usual view takes half a minute."""
    eye, picture = Eye(), next(street(1, 1))
    looks = [eye.look(frame(i / 10, picture)) is not None for i in range(30)]
    assert sum(looks) == 3
    assert LEARN_LOOKS == 30


def test_any_shape_of_picture_is_measured() -> None:
    """Odd sizes, portrait, one colour."""
    for size in ((333, 247), (64, 640), (16, 16)):
        sight = Eye().look(frame(0.0, Image.new("RGB", size, (128, 128, 128))))
        assert sight is not None
        assert sight.luma == pytest.approx(128, abs=3)
        assert sight.contrast == 0.0
