"""Laws of the gathering rule: close together, staying, and the same people; one alert whatever the ids do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.people import HEIGHT, WIDTH, Person, circle_of, observation, row_of

from detector.episodes import Episodes
from detector.errors import ConfigError
from detector.groups import Grouper, GrouperParams
from detector.rules.base import Rule, View
from detector.rules.gathering import Gathering, GatheringParams
from detector.types import Alert, Phase
from detector.zones import Zone

LAWN = Zone("lawn", ((0.2, 0.3), (0.8, 0.3), (0.8, 0.8), (0.2, 0.8)))
QUICK = GatheringParams(min_people=4, hold_s=5, gap_s=1, close_s=6)

Crowd = Callable[[float], Sequence[Person]]


def play(
    crowd: Crowd,
    until_s: float,
    params: GatheringParams = QUICK,
    zone: Zone | None = LAWN,
    *,
    fps: float = 5.0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> list[Alert]:
    """Let a crowd act before the rule; give all alerts."""
    rule: Rule = Gathering(params, zone)
    grouper = Grouper(GrouperParams(link_bh=params.link_bh))
    episodes = Episodes(UUID(int=1), "cam", [rule])
    alerts: list[Alert] = []
    for k in range(round(until_s * fps)):
        obs = observation(k / fps, crowd(k / fps), size=size)
        view = View(obs, {params.link_bh: grouper.step(obs)})
        alerts += episodes.step(obs.stamp, [rule.step(view)])
    return alerts + episodes.end("source ended")


def told(alerts: Sequence[Alert]) -> list[tuple[str, float, str]]:
    return [(a.phase.value, a.t, a.severity.value) for a in alerts]


def test_people_who_stay_are_told_with_numbers_and_reason() -> None:
    """Five people who stand in the zone for hold_s are one alert that says who, how long and how close."""
    alerts = play(lambda t: row_of(5) if 2 <= t < 22 else [], 40, GatheringParams())
    assert alerts == []
    opened, closed = play(lambda t: row_of(5) if 2 <= t < 33 else [], 90, GatheringParams())
    assert told([opened, closed]) == [("opened", 22.0, "medium"), ("closed", 72.8, "medium")]
    assert opened.reason == (
        "5 people have stood together in 'lawn' for 20 s (at least 4 for 20 s); spread 0.7 body heights"
    )
    assert closed.reason.startswith("Up to 5 people stood together in 'lawn' for 31 s")
    assert opened.facts == {
        "n_people_min": 5,
        "n_people_median": 5,
        "n_people_max": 5,
        "spread_bh": 0.72,
        "dwell_s": 20.0,
        "n_id_changes": 0,
        "speed_bh_s": 0.0,
        "moving": False,
    }
    assert closed.facts["end_reason"] == "dispersed"
    assert [(s.name, s.unit, s.threshold) for s in opened.series] == [
        ("n_people", "people", 4.0),
        ("spread_bh", "body heights", 1.0),
        ("speed_bh_s", "body heights/s", 0.3),
    ]
    assert opened.track_ids == (1, 2, 3, 4, 5)
    assert opened.box == (480.0, 400.0, 760.0, 500.0)
    assert opened.params["min_people"] == 4
    assert (opened.zone, opened.rule, opened.rule_version) == ("lawn", "gathering", 3)


def test_too_few_or_too_far_apart_or_too_short_is_nothing() -> None:
    """Three people, four spread out, or four who leave before hold_s are no gathering."""
    assert play(lambda t: row_of(3), 20) == []
    assert play(lambda t: row_of(4, x=300, apart=150), 20) == []
    assert play(lambda t: row_of(4) if t < 4.9 else [], 20) == []


def test_only_members_whose_feet_are_in_the_zone_count() -> None:
    """A group half out of the zone counts with the half inside; without a zone all of it counts."""
    edge = row_of(6, x=0.2 * WIDTH - 150, apart=60)
    assert play(lambda t: edge, 20) == []
    alerts = play(lambda t: edge, 20, zone=None)
    assert alerts[0].facts["n_people_max"] == 6
    assert alerts[0].zone == ""
    assert "in view" in alerts[0].reason
    inside = play(lambda t: edge, 20, replace(QUICK, min_people=3))[0]
    assert inside.track_ids == (4, 5, 6)


def test_someone_cut_by_the_lower_edge_counts_in_the_whole_picture() -> None:
    """Feet on the last row of the picture are in a zone that reaches it."""
    floor = Zone("floor", ((0, 0.5), (1, 0.5), (1, 1), (0, 1)))
    alerts = play(lambda t: row_of(4, y=HEIGHT - 1.0), 20, zone=floor)
    assert [a.phase for a in alerts] == [Phase.OPENED, Phase.CLOSED]


def test_same_alerts_at_half_the_picture_size() -> None:
    """Zones are 0-1: a picture of half the size with people at half the px gives the same alerts."""
    big = play(lambda t: circle_of(5), 20)
    small_people = [replace(p, x=p.x / 2, y=p.y / 2) for p in circle_of(5)]
    small = play(lambda t: small_people, 20, size=(WIDTH // 2, HEIGHT // 2))
    assert told(big) == told(small)


def test_hovering_at_min_people_is_one_alert() -> None:
    """A fourth person who is missed for half of every second raises one alert, not one per second."""
    alerts = play(lambda t: row_of(3 if 5 <= t < 19 and t % 1 >= 0.5 else 4), 40)
    assert told(alerts) == [("opened", 5.0, "medium"), ("closed", 39.8, "medium")]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    swaps=st.floats(0, 0.3),
    renames=st.floats(0, 0.08),
    misses=st.floats(0, 0.15),
)
def test_one_gathering_is_one_alert_whatever_ids_do(
    seed: int, swaps: float, renames: float, misses: float
) -> None:
    """Swapped ids, new ids and missed detections in a standing group of six leave it one alert, if a late one."""
    random = np.random.default_rng(seed)
    ids = list(range(1, 7))
    places = circle_of(6, apart=70)

    def crowd(t: float) -> list[Person]:
        if random.random() < swaps:
            a, b = random.integers(0, 6, 2)
            ids[a], ids[b] = ids[b], ids[a]
        if random.random() < renames:
            ids[random.integers(0, 6)] = max(ids) + 1
        return [
            replace(p, id=ids[i], x=p.x + random.normal(0, 3), y=p.y + random.normal(0, 3))
            for i, p in enumerate(places)
            if random.random() >= misses
        ]

    alerts = play(crowd, 40)
    assert [a.phase for a in alerts if a.phase is not Phase.UPDATED] == [Phase.OPENED, Phase.CLOSED]
    assert alerts[0].t < 15, "three times hold_s, though a new id comes more than every other second"


def test_changed_ids_are_counted() -> None:
    """The facts say how many track ids were replaced while it lasted."""
    alerts = play(lambda t: row_of(4, first_id=1 if t < 8 else 11), 20)
    assert (alerts[0].facts["n_id_changes"], alerts[-1].facts["n_id_changes"]) == (0, 4)


def test_a_stream_of_changing_people_is_no_gathering() -> None:
    """Four people always there, each for a second and none for long, are not committed: no alert."""

    def stream(t: float) -> list[Person]:
        first = int(t * 4)
        return [Person(first + k, 500.0 + 53 * ((first + k) % 7), 500) for k in range(4)]

    assert play(stream, 40) == []


def test_a_walking_group_is_of_lower_severity_and_says_so() -> None:
    """People walking together for hold_s are a moving group; once they stand still it becomes a gathering."""

    def crowd(t: float) -> list[Person]:
        walked = min(t, 8.0) * 50
        return [replace(p, x=p.x + walked, vx=50.0 if t < 8 else 0.0) for p in row_of(5, x=300, apart=50)]

    alerts = play(crowd, 30)
    assert [(a.phase, a.severity) for a in alerts[:2]] == [(Phase.OPENED, "low"), (Phase.UPDATED, "medium")]
    assert alerts[0].t == 5.0
    assert 9 < alerts[1].t < 10.5
    assert alerts[0].reason.startswith("5 people have moved together in 'lawn' for 5 s")
    assert "speed 0.5 body heights a second" in alerts[0].reason
    assert alerts[0].facts["moving"] is True
    assert alerts[1].facts["moving"] is False


def test_growing_to_a_large_group_is_an_escalation() -> None:
    """Twice min_people for longer than gap_s raises the severity of the same alert."""
    alerts = play(lambda t: circle_of(8, apart=50) if t >= 10 else circle_of(8, apart=50)[:5], 30)
    assert told(alerts) == [("opened", 5.0, "medium"), ("updated", 11.0, "high"), ("closed", 29.8, "high")]
    assert alerts[1].facts["n_people_max"] == 8
    assert alerts[1].reason.startswith("8 people")


def test_lasting_long_is_an_escalation() -> None:
    """After long_s the severity rises by one step."""
    alerts = play(lambda t: row_of(4), 30, replace(QUICK, long_s=15))
    assert told(alerts)[1] == ("updated", 16.0, "high")


def test_two_gatherings_at_once_are_two_alerts() -> None:
    """Two groups in one zone are told apart, each with its own people."""
    both = [*row_of(4, x=300, apart=50), *row_of(4, first_id=11, x=800, apart=50)]
    alerts = [a for a in play(lambda t: both, 20) if a.phase is Phase.OPENED]
    assert [a.track_ids for a in alerts] == [(1, 2, 3, 4), (11, 12, 13, 14)]
    assert len({a.alert_id for a in alerts}) == 2


def test_merging_and_parting_for_a_moment_keeps_one_incident_each() -> None:
    """Two gatherings that touch for three seconds stay the two alerts they were."""
    left = row_of(4, x=300, apart=50)

    def crowd(t: float) -> list[Person]:
        return [*left, *row_of(4, first_id=11, x=520 if 10 <= t < 13 else 850, apart=50)]

    alerts = play(crowd, 40)
    assert [a.phase for a in alerts].count(Phase.OPENED) == 2
    assert len({a.alert_id for a in alerts}) == 2


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    breaks=st.lists(st.floats(1, 40), max_size=4),
    parted=st.tuples(st.floats(8, 30), st.floats(0.5, 4)),
)
@example(seed=1, breaks=[11.75], parted=(11.5, 1.0))  # new ids while they are parted
@example(seed=0, breaks=[10.0], parted=(8.0, 1.0))  # new ids at the moment of coming together again
def test_new_ids_all_at_once_and_a_moment_apart_leave_one_alert(
    seed: int, breaks: list[float], parted: tuple[float, float]
) -> None:
    """Every id replaced at random moments, and the group in two halves for seconds: one alert all the same."""
    random = np.random.default_rng(seed)
    places = circle_of(8, apart=60)
    at, for_s = parted

    def crowd(t: float) -> list[Person]:
        first = 100 * sum(t >= moment for moment in breaks)
        apart = 250 if at <= t < at + for_s else 0
        return [
            replace(p, id=first + i, x=p.x + (apart if i >= 5 else 0) + random.normal(0, 2))
            for i, p in enumerate(places)
        ]

    alerts = play(crowd, 45)
    assert [a.phase for a in alerts if a.phase is not Phase.UPDATED] == [Phase.OPENED, Phase.CLOSED]
    assert len({a.alert_id for a in alerts}) == 1


def test_a_gathering_goes_on_in_a_part_that_had_a_key_before() -> None:
    """Of eight who stand together four are hidden; the others, who bear the key of their beginnings, are the same."""

    def crowd(t: float) -> list[Person]:
        people = [replace(p, x=p.x + (300 if t < 2 and p.id > 3 else 0)) for p in row_of(8, x=300, apart=40)]
        return people[:4] if 12 <= t < 24 else people

    alerts = play(crowd, 50)
    assert [a.phase for a in alerts if a.phase is not Phase.UPDATED] == [Phase.OPENED, Phase.CLOSED]
    assert (alerts[0].t < 8, alerts[-1].t > 49) == (True, True)


def test_two_gatherings_that_part_from_one_are_two() -> None:
    """When a gathering parts for good, its larger part goes on as it and the other is told as another."""

    def crowd(t: float) -> list[Person]:
        return [replace(p, x=p.x + (350 if t > 12 and p.id > 5 else 0)) for p in row_of(9, x=300, apart=40)]

    alerts = [a for a in play(crowd, 40) if a.phase is Phase.OPENED]
    assert [len(a.track_ids) for a in alerts] == [9, 4]


def queue(*, serve_s: float, apart: float, n: int = 8, seed: int = 0) -> Crowd:
    """n people in a line; every `serve_s` the first leaves and all step up; another joins at its end."""
    random = np.random.default_rng(seed)

    def crowd(t: float) -> list[Person]:
        served = int(t // serve_s)
        share = min((t - served * serve_s) / 1.5, 1.0)  # of the step, which takes 1.5 s
        speed = 0.0 if share == 1 else apart / 1.5
        people = [
            Person(served + i, 350 + apart * (i - share), 500 + random.normal(0, 3), -speed)
            for i in range(1, n)
        ]
        return people if share == 1 else [Person(served, 350, 500 - 150 * share, 0, -100), *people]

    return crowd


@pytest.mark.parametrize("serve_s", [6.0, 15.0])
@pytest.mark.parametrize("apart", [40.0, 60.0, 90.0])
def test_a_queue_is_no_gathering(serve_s: float, apart: float) -> None:
    """People in a line who step up whenever the first is served are never told, however close they stand."""
    assert play(queue(serve_s=serve_s, apart=apart), 120, GatheringParams()) == []


def test_a_line_of_people_that_does_not_step_up_is_a_gathering() -> None:
    """A row that stands and only shuffles a little is told: a line alone is no queue."""
    random = np.random.default_rng(3)
    alerts = play(
        lambda t: [replace(p, x=p.x + random.normal(0, 6), y=p.y + random.normal(0, 6)) for p in row_of(6)],
        40,
    )
    assert [a.phase for a in alerts] == [Phase.OPENED, Phase.CLOSED]


def test_a_circle_that_steps_aside_together_stays_a_gathering() -> None:
    """People who are no line and move on by a body height together are still told."""
    alerts = play(lambda t: [replace(p, x=p.x + (100 if t > 4 else 0)) for p in circle_of(6, apart=60)], 20)
    assert [a.phase for a in alerts if a.phase is not Phase.UPDATED] == [Phase.OPENED, Phase.CLOSED]


def test_a_huddle_that_shifts_is_no_queue() -> None:
    """People who stand too close for a queue, in what looks like a line from afar, are told though they shift one way."""
    random = np.random.default_rng(5)

    def crowd(t: float) -> list[Person]:
        way = 45 * min(max(t - 6, 0) / 3, 1)
        return [
            Person(
                i, 500 + 20 * i + way + random.normal(0, 2), 500 + random.normal(0, 2), 15 if 6 < t < 9 else 0
            )
            for i in range(1, 7)
        ]

    alerts = play(crowd, 60, GatheringParams())
    assert (alerts[0].phase, round(alerts[0].t)) == (Phase.OPENED, 20)


@pytest.mark.parametrize("pace", [12.0, 17.0, 25.0])
def test_a_file_of_slow_walkers_is_no_queue(pace: float) -> None:
    """People who stroll on one behind the other, as far as boxes let see with stops, are told."""
    random = np.random.default_rng(7)

    def crowd(t: float) -> list[Person]:
        walked = 10 * np.floor(pace * t / 10)  # boxes jump
        return [Person(i, 300 + 45 * i + walked + random.normal(0, 2), 500, pace) for i in range(1, 6)]

    alerts = play(crowd, 26, GatheringParams())
    assert (alerts[0].phase, round(alerts[0].t)) == (Phase.OPENED, 20)


def flow(*, per_s: float, both_ways: bool, seed: int, until_s: float) -> Crowd:
    """Pedestrians who cross the picture, each at a pace and height of their own."""
    random = np.random.default_rng(seed)
    starts = np.cumsum(random.exponential(1 / per_s, int((until_s + 20) * per_s))) - 20
    walkers = [
        (
            i,
            t0,
            1 if not both_ways or random.random() < 0.5 else -1,
            random.uniform(60, 110),
            random.uniform(420, 620),
        )
        for i, t0 in enumerate(starts.tolist())
    ]

    def crowd(t: float) -> list[Person]:
        at = [
            (i, (0 if way > 0 else WIDTH) + way * v * (t - t0), y, way * v)
            for i, t0, way, v, y in walkers
            if t >= t0
        ]
        return [Person(i, x, y, v) for i, x, y, v in at if 0 <= x <= WIDTH]

    return crowd


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("both_ways", [True, False])
def test_people_who_pass_through_are_no_gathering(both_ways: bool, seed: int) -> None:
    """A dense stream of pedestrians, one way or both, is neither a gathering nor a moving group."""
    crowd = flow(per_s=2.5, both_ways=both_ways, seed=seed, until_s=60)
    assert play(crowd, 60, GatheringParams(), None, fps=2.5) == []


def test_a_walking_group_that_somebody_joins_is_no_through_flow() -> None:
    """A moving group of five stays one while a sixth joins it."""

    def crowd(t: float) -> list[Person]:
        walkers = row_of(6 if t > 4 else 5, x=200 + 40 * t, apart=50)
        return [replace(p, vx=40.0) for p in walkers]

    alerts = play(crowd, 12, zone=None)
    assert [(a.phase, a.severity) for a in alerts] == [(Phase.OPENED, "low"), (Phase.CLOSED, "low")]


@pytest.mark.parametrize("fps", [25.0, 10.0, 5.0, 2.0])
def test_frame_rate_moves_the_alert_by_two_frames_at_most(fps: float) -> None:
    """The alert comes at the same stream second at any analysed rate, within two frame intervals."""
    alerts = play(lambda t: circle_of(5) if 3 <= t < 20 else [], 40, fps=fps)
    opened, closed = alerts
    assert abs(opened.t - 8.0) <= 2 / fps
    assert abs(closed.t - 26.0) <= 2 / fps


def test_reset_forgets_who_was_there() -> None:
    """After a reset the rule has no watch left."""
    rule = Gathering(QUICK)
    obs = observation(0.0, row_of(5))
    assert len(rule.step(View(obs, {1.0: Grouper().step(obs)}))) == 1
    rule.reset()
    assert rule._watches == []


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("min_people", 1, "2-20"),
        ("min_people", 21, "2-20"),
        ("min_people", 3.5, "a count"),
        ("hold_s", 0, "more than 0"),
        ("gap_s", 20, "less than hold_s"),
        ("close_s", 1, "at least gap_s"),
        ("link_bh", float("nan"), "0.2-5"),
        ("max_speed_bh_s", 0, "more than 0"),
        ("core_people", 0, "1-20"),
        ("core_share", 1.5, "0-1"),
        ("large_factor", 1, "more than 1"),
        ("long_s", -1, "more than 0"),
    ],
)
def test_bad_parameter_is_named(field: str, value: float, wanted: str) -> None:
    """A parameter out of range is refused with its name, what was wanted and what was got."""
    with pytest.raises(ConfigError) as caught:
        GatheringParams(**{field: value})
    text = str(caught.value)
    assert field in text
    assert wanted in text
    assert f"got {value:g}" in text
