"""Laws of groups: who is together in one picture, and which group is which over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.people import Person, circle_of, observation, row_of

from detector.errors import ConfigError
from detector.groups import Group, Grouper, GrouperParams


def members(groups: Sequence[Group]) -> set[frozenset[int]]:
    return {frozenset(g.track_ids) for g in groups}


def run(
    grouper: Grouper, people: Sequence[Person], start: float, seconds: float, step: float = 0.2
) -> list[Group]:
    """Feed the same people for a while; give the groups of the last picture."""
    groups: list[Group] = []
    for t in np.arange(start, start + seconds - 1e-9, step):
        groups = grouper.step(observation(float(t), people))
    return groups


def moved(people: Sequence[Person], t: float) -> list[Person]:
    """The same people t seconds on at their own speed."""
    return [replace(p, x=p.x + p.vx * t, y=p.y + p.vy * t) for p in people]


@pytest.mark.parametrize("n", [2, 3, 5, 6, 10])
def test_a_circle_is_one_group(n: int) -> None:
    """People round a circle, neighbours nearly a body height apart, are one group as long as they stay."""
    grouper = Grouper()
    first = grouper.step(observation(0.0, circle_of(n, apart=90)))
    assert members(first) == {frozenset(range(1, n + 1))}
    assert run(grouper, circle_of(n, apart=90), 0.2, 10)[0].key == first[0].key


def test_a_circle_stays_one_group_when_detections_shake() -> None:
    """Noise of a tenth of a body height on every foot point does not break a circle of six."""
    random = np.random.default_rng(3)
    grouper = Grouper()
    for k in range(200):
        people = [
            replace(p, x=p.x + random.normal(0, 8), y=p.y + random.normal(0, 8))
            for p in circle_of(6, apart=85)
        ]
        groups = grouper.step(observation(k * 0.2, people))
        assert members(groups) == {frozenset(range(1, 7))}
        assert groups[0].key == "group-1"


def test_a_long_queue_is_no_single_group() -> None:
    """Links do not chain without end: twenty people in a row at link distance are several groups."""
    groups = Grouper().step(observation(0.0, row_of(20, x=50, apart=60)))
    assert len(groups) >= 2
    assert max(len(g.track_ids) for g in groups) <= 10


def test_a_crowd_is_one_group() -> None:
    """Forty people who stand in a block, neighbours at link distance, are one gathering, not many."""
    block = [Person(8 * i + j, 100 + 85 * i, 100 + 85 * j) for i in range(5) for j in range(8)]
    groups = Grouper().step(observation(0.0, block))
    assert len(groups) == 1


def test_two_blocks_joined_by_a_thread_are_two_groups() -> None:
    """Two knots of people with a line of people between them do not become one through the line."""
    knots = [
        Person(10 * k + i, 100 + 800 * k + 40 * (i % 3), 400 + 40 * (i // 3))
        for k in range(2)
        for i in range(9)
    ]
    line = row_of(7, first_id=50, x=260, y=440, apart=90)
    groups = members(Grouper().step(observation(0.0, [*knots, *line])))
    assert not any({0, 10} <= group for group in groups)
    assert any(set(range(9)) <= group for group in groups)


def test_alone_is_no_group_and_nobody_is_fine() -> None:
    """A single person and an empty picture give no group."""
    grouper = Grouper()
    assert grouper.step(observation(0.0, [])) == []
    assert grouper.step(observation(0.2, [Person(1, 500)])) == []
    assert grouper.step(observation(0.4, row_of(2, apart=400))) == []


def test_linked_at_one_height_unlinked_at_one_and_a_third() -> None:
    """A pair at 1.2 body heights is together only if it was; at 1.5 it parts."""
    assert Grouper().step(observation(0.0, row_of(2, apart=120))) == []
    grouper = Grouper()
    assert len(run(grouper, row_of(2, apart=90), 0, 2)) == 1
    assert len(run(grouper, row_of(2, apart=120), 2, 20)) == 1
    assert run(grouper, row_of(2, apart=150), 22, 10) == []
    assert run(grouper, row_of(2, apart=120), 32, 10) == []


def test_depth_counts_more_than_width() -> None:
    """Two people one above the other in the picture are farther apart on the ground than side by side."""
    deep = [Person(1, 500, 500), Person(2, 500, 560)]
    assert len(Grouper().step(observation(0.0, deep, gain=1.0))) == 1
    assert Grouper().step(observation(0.0, deep, gain=2.0)) == []


def test_passers_by_are_not_together() -> None:
    """Two people who pass at arm's length are never a group; two who walk side by side are."""
    past = [Person(1, 300, 500, vx=80), Person(2, 700, 530, vx=-80)]
    abreast = [Person(1, 300, 500, vx=80), Person(2, 300, 560, vx=80)]
    apart, together = Grouper(), Grouper()
    for k in range(25):
        t = k * 0.2
        assert apart.step(observation(t, moved(past, t))) == []
        assert len(together.step(observation(t, moved(abreast, t)))) == 1


def test_someone_walking_through_does_not_join() -> None:
    """A standing group keeps its members while one walks past it."""
    grouper = Grouper()
    standing = row_of(3, apart=60)
    for k in range(40):
        walker = Person(9, 100 + 24 * k, 560, vx=120)
        groups = grouper.step(observation(k * 0.2, [*standing, walker]))
        assert members(groups) == {frozenset({1, 2, 3})}


def test_key_survives_a_swap_of_ids() -> None:
    """When two members swap their track ids nothing changes."""
    grouper = Grouper()
    before = run(grouper, row_of(4), 0, 2)
    people = row_of(4)
    people[0], people[3] = replace(people[0], id=4), replace(people[3], id=1)
    after = run(grouper, people, 2, 2)
    assert [g.key for g in after] == [before[0].key]
    assert after[0].n_id_changes == 0


def test_new_ids_in_the_same_places_are_the_same_people() -> None:
    """When ids are replaced, one by one or all at once, key and people stay, and the changes are counted."""
    grouper = Grouper()
    before = run(grouper, row_of(4), 0, 2)
    one_new = [replace(row_of(4)[0], id=11), *row_of(4)[1:]]
    after = run(grouper, one_new, 2, 2)
    assert (after[0].key, set(after[0].people), after[0].n_id_changes) == (before[0].key, {1, 2, 3, 4}, 1)
    all_new = run(grouper, row_of(4, first_id=21), 4, 2)
    assert (all_new[0].key, set(all_new[0].people), all_new[0].n_id_changes) == (
        before[0].key,
        {1, 2, 3, 4},
        5,
    )


def test_new_ids_and_a_part_that_goes_at_once_leave_the_key() -> None:
    """Half of a group that stands where it stood keeps the key, though all ids are new and the others are away."""
    grouper = Grouper()
    before = run(grouper, row_of(8, x=300, apart=60), 0, 2)
    people = [replace(p, x=p.x + (500 if p.id > 25 else 0)) for p in row_of(8, first_id=21, x=300, apart=60)]
    after = run(grouper, people, 2, 1)
    assert (len(after), after[0].key, len(after[0].track_ids)) == (2, before[0].key, 5)


def test_other_people_elsewhere_are_another_group() -> None:
    """A group that vanished gives its key to nobody at another place."""
    grouper = Grouper()
    run(grouper, row_of(4), 0, 2)
    assert run(grouper, row_of(4, first_id=11, x=100, y=900), 2, 1)[0].key == "group-2"


def test_merge_keeps_the_larger_key_and_split_gives_both_back() -> None:
    """Two groups that merge go on as the larger; when they part each has its own key again."""
    grouper = Grouper()
    five, three = row_of(5, x=300, apart=40), row_of(3, first_id=11, x=900, apart=40)
    keys = {frozenset(g.track_ids): g.key for g in run(grouper, [*five, *three], 0, 3)}
    key5, key3 = keys[frozenset(range(1, 6))], keys[frozenset({11, 12, 13})]
    near = row_of(3, first_id=11, x=300 + 5 * 40, apart=40)
    assert [g.key for g in run(grouper, [*five, *near], 3, 6)] == [key5]
    parted = run(grouper, [*five, *three], 9, 10)
    assert {frozenset(g.track_ids): g.key for g in parted} == keys
    assert key5 != key3


def test_group_comes_back_as_itself() -> None:
    """The same people who scatter and meet again within the memory are the same group; later, another."""
    grouper = Grouper(GrouperParams(memory_s=30))
    scattered = row_of(3, x=100, apart=400)
    assert run(grouper, row_of(3), 0, 3)[0].key == "group-1"
    run(grouper, scattered, 3, 20)
    assert run(grouper, row_of(3), 23, 5)[0].key == "group-1"
    run(grouper, scattered, 28, 40)
    assert run(grouper, row_of(3), 68, 5)[0].key == "group-2"


def test_reset_forgets_but_reuses_no_key() -> None:
    """After a new epoch the same people are a new group with a new key."""
    grouper = Grouper()
    run(grouper, row_of(3), 0, 3)
    grouper.reset()
    assert grouper.step(observation(0.0, row_of(3)))[0].key == "group-2"


def test_speed_and_spread_are_in_body_heights() -> None:
    """A group walking 50 px/s where bodies are 100 px goes 0.5 bh/s; spread is the mean way to its middle."""
    group = Grouper().step(observation(0.0, [replace(p, vx=50.0) for p in row_of(2, apart=60)]))[0]
    assert group.speed_bh_s == pytest.approx(0.5)
    assert group.spread_bh == pytest.approx(0.3)
    assert group.centroid_px == pytest.approx((530, 500))


def test_standing_still_is_slow_however_members_come_and_go() -> None:
    """Speed is that of the people: someone joining or leaving does not make the group jump."""
    grouper = Grouper()
    for k in range(40):
        people = row_of(3 + k % 2, apart=60)
        assert grouper.step(observation(k * 0.2, people))[0].speed_bh_s == 0


@settings(max_examples=40, deadline=None)
@given(
    places=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), min_size=2, max_size=14, unique=True),
    seed=st.integers(0, 1000),
)
def test_order_of_rows_and_ids_do_not_matter(places: list[tuple[int, int]], seed: int) -> None:
    """Shuffled rows give the same groups; nobody is in two; every group has two members at least."""
    people = [Person(i + 1, 40 + 93.1 * x + 0.37 * i, 40 + 91.7 * y) for i, (x, y) in enumerate(places)]
    shuffled = [people[i] for i in np.random.default_rng(seed).permutation(len(people))]
    obs = observation(0.0, shuffled)
    one, two = Grouper().step(observation(0.0, people)), Grouper().step(obs)
    assert members(one) == members(two)
    everyone = [i for g in two for i in g.track_ids]
    assert len(everyone) == len(set(everyone))
    for group in two:
        assert len(group.track_ids) == len(group.people) == len(group.rows) >= 2
        assert tuple(obs.tracks.ids[group.rows].tolist()) == group.track_ids


@settings(max_examples=30, deadline=None)
@given(larger=st.integers(3, 6), smaller=st.integers(2, 5), order=st.randoms(use_true_random=False))
def test_whoever_merges_and_parts_keeps_the_key_of_the_most_members(
    larger: int, smaller: int, order: Random
) -> None:
    """Of two knots that merge the one with more members in common names the whole; parted, each has its own again."""
    smaller = min(smaller, larger - 1)
    grouper = Grouper()
    one, two = row_of(larger, x=200, apart=35), row_of(smaller, first_id=11, x=900, apart=35)

    def mixed(people: list[Person]) -> list[Person]:
        return order.sample(people, len(people))

    keys = {frozenset(g.track_ids): g.key for g in run(grouper, mixed([*one, *two]), 0, 3)}
    parts = {frozenset(p.id for p in knot) for knot in (one, two)}
    assert set(keys) == parts
    near = row_of(smaller, first_id=11, x=200 + larger * 35, apart=35)
    merged = run(grouper, mixed([*one, *near]), 3, 6)
    assert [g.key for g in merged] == [keys[frozenset(p.id for p in one)]]
    parted = run(grouper, mixed([*one, *two]), 9, 10)
    assert {frozenset(g.track_ids): g.key for g in parted} == keys


@settings(max_examples=30, deadline=None)
@given(apart=st.floats(20, 250), before=st.floats(20, 250), fps=st.sampled_from([1.0, 5.0, 15.0]))
def test_a_pair_is_together_by_its_distance_and_its_past(apart: float, before: float, fps: float) -> None:
    """Within link distance together, beyond 1.36 times it apart, between the two as they were: at every rate."""
    link, unlink = 100.0, 136.0
    assume(
        min(abs(apart - limit) for limit in (link, unlink)) > 3 < min(abs(before - x) for x in (link, unlink))
    )
    grouper = Grouper()
    for phase, way in ((0, before), (1, apart)):
        for k in range(round(12 * fps)):
            groups = grouper.step(observation(12 * phase + k / fps, row_of(2, apart=way)))
    was = before < link
    assert bool(groups) == (apart < link or (was and apart < unlink))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_keys_are_never_shared_or_reused(seed: int) -> None:
    """In any random crowd no two groups of a picture share a key, and a forgotten key never comes back."""
    random = np.random.default_rng(seed)
    grouper = Grouper(GrouperParams(memory_s=2))
    last: dict[str, float] = {}
    places = random.uniform(0, 600, (12, 2))
    ids = np.arange(12)
    for k in range(60):
        t = k * 0.25
        places = np.clip(places + random.normal(0, 25, places.shape), 0, 600)
        fresh = random.random(12) < 0.05
        ids = np.where(fresh, ids.max() + 1 + np.arange(12), ids)
        there = random.random(12) < 0.8
        people = [Person(int(ids[i]), *map(float, places[i])) for i in np.flatnonzero(there)]
        groups = grouper.step(observation(t, people))
        keys = [g.key for g in groups]
        assert len(keys) == len(set(keys))
        for key in keys:
            assert t - last.get(key, t) <= 2
            last[key] = t


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("link_bh", 0),
        ("passing_s", -1),
        ("smooth_s", float("nan")),
        ("unlink_factor", 0.9),
    ],
)
def test_bad_parameter_is_named(field: str, value: float) -> None:
    """A parameter out of range is refused by name."""
    with pytest.raises(ConfigError, match=field):
        GrouperParams(**{field: value})
