"""Laws of the scene: detections in, alerts out; epochs, replays, and a day of pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from support.people import Person, circle_of, detections, row_of, stamp

from detector.rules.base import View
from detector.rules.gathering import Gathering, GatheringParams
from detector.scene import Scene
from detector.types import Alert, Detections, Finding, Kind, Phase
from detector.zones import Zone

RUN = UUID(int=42)
QUICK = GatheringParams(min_people=3, hold_s=5, gap_s=1, close_s=6)
LAWN = Zone("lawn", ((0.2, 0.3), (0.8, 0.3), (0.8, 0.8), (0.2, 0.8)))

Crowd = Callable[[float], Sequence[Person]]


def oblique(n: int) -> list[Person]:
    """A circle of people as a camera 30 degrees above the ground sees it: half as deep as it is wide."""
    return circle_of(n, apart=80, depth=0.5)


def scene() -> Scene:
    return Scene("cam", RUN, [Gathering(QUICK, LAWN)])


def play(crowd: Crowd, until_s: float, *, fps: float = 5.0, end: str = "source ended") -> list[Alert]:
    """Let a crowd act before a scene with the real tracker; give all alerts."""
    camera = scene()
    alerts: list[Alert] = []
    for k in range(round(until_s * fps)):
        alerts += camera.step(stamp(k / fps), detections(crowd(k / fps))).alerts
    return alerts + camera.end(end)


def phases(alerts: Iterable[Alert]) -> list[Phase]:
    return [a.phase for a in alerts]


def shaking(people: Sequence[Person], seed: int = 1, miss: float = 0.1) -> Crowd:
    """The same people with noise of 3 px and a share of missed detections."""
    random = np.random.default_rng(seed)

    def crowd(t: float) -> list[Person]:
        return [
            replace(p, x=p.x + random.normal(0, 3), y=p.y + random.normal(0, 3))
            for p in people
            if random.random() >= miss
        ]

    return crowd


def test_a_standing_circle_is_one_alert_through_the_real_tracker() -> None:
    """Five people standing, with noise and misses: OPENED once, hold_s after they came, CLOSED at the end."""
    alerts = play(shaking(oblique(5)), 30)
    assert phases(alerts) == [Phase.OPENED, Phase.CLOSED]
    assert 5 <= alerts[0].t <= 6.5
    assert alerts[0].facts["n_people_max"] == 5
    assert alerts[1].facts["end_reason"] == "source ended"
    x0, y0, x1, y1 = alerts[0].box
    assert (x0, x1) == pytest.approx((512, 680), abs=15)
    assert (y0, y1) == pytest.approx((368, 532), abs=15)


def test_nobody_and_passers_by_raise_nothing() -> None:
    """An empty picture, and people who cross the zone in both directions, give no alert."""
    assert play(lambda t: [], 20) == []

    def crossing(t: float) -> list[Person]:
        return [Person(k, (90 * t * (-1) ** k + 300 * k) % 1280, 450 + 20 * k) for k in range(6)]

    assert play(crossing, 40) == []


def test_only_people_count() -> None:
    """Bags in the place of people are no gathering, and are not tracked."""
    camera = scene()
    for k in range(50):
        seen = detections(row_of(5))
        bags = replace(seen, kinds=np.full(5, Kind.BACKPACK, np.int64))
        judgement = camera.step(stamp(k / 5), bags)
        assert judgement.alerts == []
        assert len(judgement.tracks) == 0


def test_observation_runs_in_parallel_with_tracks() -> None:
    """The rules see one foot point, body height and depth gain per track, feet within the picture."""
    camera = scene()
    for k in range(5):
        judgement = camera.step(stamp(k / 5), detections(row_of(3, y=975.0)))
    obs = judgement.observation
    assert len(obs.tracks) == len(obs.feet) == len(obs.body_px) == len(obs.depth_gain) == 3
    assert obs.tracks is judgement.tracks
    assert (obs.feet[:, 1] == 959).all()


def test_new_epoch_closes_and_starts_afresh() -> None:
    """A reconnect closes the open alert as interrupted; those still there open another, as new tracks."""
    camera = scene()
    first: list[Alert] = []
    for k in range(40):
        first += camera.step(stamp(k / 5), detections(row_of(4))).alerts
    second: list[Alert] = []
    for k in range(40):
        second += camera.step(stamp(k / 5, epoch=1), detections(row_of(4))).alerts
    assert phases(first) == [Phase.OPENED]
    assert phases(second) == [Phase.CLOSED, Phase.OPENED]
    assert second[0].alert_id == first[0].alert_id != second[1].alert_id
    assert second[0].facts["end_reason"] == "stream interrupted"
    assert second[0].t == 7.8
    assert set(second[0].track_ids).isdisjoint(second[1].track_ids)
    assert phases(camera.end("service stopped")) == [Phase.CLOSED]


def test_new_epoch_in_the_middle_of_the_hold_starts_it_anew() -> None:
    """Three seconds before and three after a reconnect are not a hold of five."""
    camera = scene()
    alerts: list[Alert] = []
    for epoch in (0, 1):
        for k in range(15):
            alerts += camera.step(stamp(k / 5, epoch=epoch), detections(row_of(4))).alerts
    assert alerts == []


def test_zones_hold_after_a_change_of_picture_size() -> None:
    """The same people in a picture of half the size, after a new epoch, gather in the same zone again."""
    camera = scene()
    alerts: list[Alert] = []
    for k in range(40):
        alerts += camera.step(stamp(k / 5), detections(oblique(4))).alerts
    small = [replace(p, x=p.x / 2, y=p.y / 2) for p in oblique(4)]
    for k in range(40):
        small_stamp = stamp(k / 5, epoch=1, size=(640, 480))
        alerts += camera.step(small_stamp, detections(small, body_px=50.0)).alerts
    assert phases(alerts) == [Phase.OPENED, Phase.CLOSED, Phase.OPENED]
    assert alerts[0].facts["spread_bh"] == pytest.approx(alerts[2].facts["spread_bh"], abs=0.05)


def test_a_replay_gives_the_same_alerts() -> None:
    """The same pictures give equal alerts to the last digit, ids included; another run has other ids."""
    one, two = play(shaking(oblique(5)), 30), play(shaking(oblique(5)), 30)
    assert repr(one) == repr(two)
    other = Scene("cam", UUID(int=43), [Gathering(QUICK, LAWN)])
    crowd = shaking(oblique(5))
    theirs = [a for k in range(150) for a in other.step(stamp(k / 5), detections(crowd(k / 5))).alerts]
    assert one[0].alert_id != theirs[0].alert_id


@pytest.mark.parametrize("fps", [10.0, 5.0, 2.5])
def test_frame_rate_moves_the_alert_by_two_frames_at_most(fps: float) -> None:
    """Twice the frames bring the alert at the same second within two of the longer frame intervals."""
    reference = play(lambda t: oblique(5) if 3 <= t < 20 else [], 40, fps=2 * fps)
    alerts = play(lambda t: oblique(5) if 3 <= t < 20 else [], 40, fps=fps)
    assert phases(alerts) == phases(reference) == [Phase.OPENED, Phase.CLOSED]
    for a, b in zip(alerts, reference, strict=True):
        assert abs(a.t - b.t) <= 2 / fps + 1e-6


def test_two_rules_with_other_links_see_other_groups() -> None:
    """Rules of one camera may link at other distances; each sees its own groups."""
    loose = Gathering(replace(QUICK, link_bh=2.0))
    camera = Scene("cam", RUN, [Gathering(QUICK), loose])
    alerts: list[Alert] = []
    for k in range(40):
        alerts += camera.step(stamp(k / 5), detections(row_of(4, x=300, apart=160))).alerts
    assert [a.params["link_bh"] for a in alerts] == [2.0]


class BrokenRule(Gathering):
    """A rule with a fault."""

    def step(self, view: View) -> list[Finding]:
        raise RuntimeError("broken rule")


def test_a_broken_rule_is_heard() -> None:
    """A rule's error is not swallowed."""
    with pytest.raises(RuntimeError, match="broken rule"):
        Scene("cam", RUN, [BrokenRule()]).step(stamp(0.0), Detections.empty())


def test_wrong_stamps_are_refused() -> None:
    """Another camera's picture and time that does not grow within an epoch are the caller's errors."""
    camera = scene()
    camera.step(stamp(1.0), Detections.empty())
    with pytest.raises(ValueError, match="wanted t over 1"):
        camera.step(stamp(1.0), Detections.empty())
    with pytest.raises(ValueError, match="wanted pictures of 'cam'"):
        camera.step(stamp(2.0, camera_id="other"), Detections.empty())


def test_end_before_the_first_picture_is_quiet() -> None:
    """A source that ends without a picture gives no alert."""
    assert scene().end("source ended") == []


def _size(thing: object, seen: set[int]) -> int:
    """Count everything a thing holds, containers and arrays by their items."""
    if id(thing) in seen or isinstance(thing, type):
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return int(thing.size)
    inner: list[object] = []
    if isinstance(thing, dict):
        inner = [*thing.keys(), *thing.values()]
    elif isinstance(thing, Iterable) and not isinstance(thing, str):
        inner = list(thing)
    for name in (*getattr(thing, "__dict__", {}), *getattr(type(thing), "__slots__", ())):
        inner.append(getattr(thing, name))
    return 1 + len(inner) + sum(_size(item, seen) for item in inner)


def test_a_day_leaves_bounded_state() -> None:
    """Twenty-four hours with a crowd each hour: the evening's state is no larger than the morning's."""
    random = np.random.default_rng(5)
    camera = scene()
    sizes, n_opened = [], 0
    for hour in range(24):
        places = [replace(p, x=p.x + random.uniform(-50, 50)) for p in row_of(6)]
        for k in range(24):
            crowd = places if k < 16 else [replace(p, x=random.uniform(0, 1280)) for p in places]
            judgement = camera.step(stamp(hour * 3600 + k * 0.5), detections(crowd))
            n_opened += sum(a.phase is Phase.OPENED for a in judgement.alerts)
        sizes.append(_size(camera, set()))
    assert n_opened >= 24
    assert max(sizes[12:]) <= 1.2 * max(sizes[4:12])


def test_tracks_that_are_given_are_judged_as_those_that_are_made() -> None:
    """A scene that is given another scene's tracks, picture by picture, tells the same alerts to the last digit."""
    maker, follower = scene(), scene()
    crowd = shaking(oblique(5))
    made: list[Alert] = []
    followed: list[Alert] = []
    for k in range(150):
        judgement = maker.step(stamp(k / 5), detections(crowd(k / 5)))
        made += judgement.alerts
        followed += follower.follow(stamp(k / 5), judgement.tracks).alerts
    assert phases(made) == [Phase.OPENED]
    assert repr(followed) == repr(made)
    with pytest.raises(ValueError, match="wanted pictures of 'cam'"):
        follower.follow(stamp(99, camera_id="other"), judgement.tracks)
