"""Laws of carried things: whose they are survives misses, changes hands only for good, and ends when they go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.people import HEIGHT, WIDTH, Person, detections, stamp, tracks

from detector.carried import MAX_THINGS, NOBODY, Carried, CarriedParams, nearness
from detector.errors import ConfigError
from detector.scene import Scene
from detector.types import Detections, Kind, Things

Bag = tuple[float, float]  # its middle
Moment = tuple[Sequence[Person], Sequence[Bag]]
RATES = [1.0, 2.0, 5.0, 15.0]
STANDING = Person(1, 200, 500)


def bags(spots: Sequence[Bag], kind: Kind = Kind.BACKPACK, score: float = 0.8) -> Detections:
    """Things of 24 x 30 px at the given places; people are 100 px tall."""
    n = len(spots)
    return Detections(
        np.array([(x - 12, y - 15, x + 12, y + 15) for x, y in spots], np.float32).reshape(n, 4),
        np.full(n, score, np.float32),
        np.full(n, kind, np.int64),
    )


def play(act: Callable[[float], Moment], seconds: float, fps: float = 5.0) -> list[Things]:
    """What is told of the things of a play, picture by picture."""
    carried = Carried()
    told = []
    for n in range(round(seconds * fps) + 1):
        people, spots = act(n / fps)
        told.append(carried.step(stamp(n / fps), bags(spots), tracks(n / fps, people)))
    return told


def owners(told: Sequence[Things]) -> list[int]:
    """Whose the only thing was, in order, without repeats."""
    found: list[int] = []
    for things in told:
        for owner in things.owners.tolist():
            if not found or found[-1] != owner:
                found.append(owner)
    return found


def walker(t: float, *, id: int = 1, x: float = 200.0) -> Person:
    return Person(id, x + 80 * t, 500, vx=80)


def on_back(person: Person) -> Bag:
    return person.x - 12, person.y - 65


@pytest.mark.parametrize("fps", RATES)
def test_a_bag_belongs_to_who_carries_it(fps: float) -> None:
    """A bag on a walker's back is one thing and theirs, within two seconds, at every rate."""
    told = play(lambda t: ([walker(t), Person(2, 900, 700)], [on_back(walker(t))]), 8, fps)
    assert {int(i) for things in told for i in things.ids} == {1}
    assert [o for o in owners(told) if o != NOBODY] == [1]
    last = told[-1]
    assert (last.owners.tolist(), last.kinds.tolist(), last.seen_t.tolist()) == ([1], [Kind.BACKPACK], [8.0])
    assert last.since_t[0] <= 2.0


@pytest.mark.parametrize("fps", RATES[1:])
@pytest.mark.parametrize("who", ["bag", "person", "both"])
def test_a_short_miss_changes_nothing(fps: float, who: str) -> None:
    """A second and a half unseen, of the bag, of its owner or of both: the same thing, owner and time since."""

    def act(t: float) -> Moment:
        hidden = 4 <= t < 5.5
        person = walker(t)
        return (
            [] if hidden and who in ("person", "both") else [person],
            [] if hidden and who in ("bag", "both") else [on_back(person)],
        )

    told = play(act, 8, fps)
    if who == "person":  # and not seen, it moves on by itself
        assert told[-1].owners.tolist() == [1]
        return
    assert {int(i) for things in told for i in things.ids} == {1}
    assert owners(told)[-1] == 1
    assert told[-1].since_t[0] < 4


def test_a_thing_not_seen_goes_with_its_owner() -> None:
    """While a bag is not seen its box moves as its owner does, and `seen_t` tells since when."""
    told = play(lambda t: ([walker(t)], [on_back(walker(t))] if t < 4 else []), 6)
    assert told[-1].seen_t[0] == pytest.approx(3.8)
    x, y = on_back(walker(6.0))
    assert told[-1].boxes[0] == pytest.approx([x - 12, y - 15, x + 12, y + 15], abs=1)


def test_a_thing_unseen_for_long_is_forgotten() -> None:
    """After lost_s without a sight nothing is told, and what comes then has a new id."""
    told = play(lambda t: ([STANDING], [on_back(STANDING)] if t < 3 or t > 8 else []), 12)
    assert len(told[-1]) == 1
    assert told[-1].ids.tolist() == [2]
    assert all(len(things) == 0 for n, things in enumerate(told) if 6.2 < n / 5 < 8)


@pytest.mark.parametrize("fps", RATES[1:])
def test_a_bag_that_is_handed_over_changes_owner_once(fps: float) -> None:
    """A bag that goes from one to another who stands at arm's length is the other's, and nobody's in no picture."""
    giver, taker = Person(1, 500, 500), Person(2, 570, 500)

    def act(t: float) -> Moment:
        share = min(max(t - 4.0, 0.0), 1.0)
        return [giver, taker], [(490 + 90 * share, 450.0)]

    told = play(act, 10, fps)
    assert [o for o in owners(told) if o != NOBODY] == [1, 2]
    assert owners(told)[-2:] == [1, 2]
    assert 4 < told[-1].since_t[0] < 7


def test_who_passes_by_takes_nothing() -> None:
    """Somebody who walks past the owner, or past a bag on the floor, never owns it."""
    stands = Person(1, 600, 500)
    told = play(lambda t: ([stands, Person(2, 100 + 130 * t, 515, vx=130)], [(590, 440)]), 8, 10)
    assert [o for o in owners(told) if o != NOBODY] == [1]
    alone = play(lambda t: ([Person(2, 100 + 150 * t, 515, vx=150)], [(600, 500)]), 8, 10)
    assert owners(alone) == [NOBODY]


def test_a_bag_that_is_left_is_nobodys_since_then() -> None:
    """An owner who puts a bag down and walks away: nobody's, since they were last near it."""

    def act(t: float) -> Moment:
        x = 500.0 if t < 5 else 500.0 + 80 * (t - 5)
        return [Person(1, x, 500, vx=80.0 * (t >= 5))], [(490.0, 480.0)]

    told = play(act, 12)
    assert owners(told)[-2:] == [1, NOBODY]
    assert 5 <= told[-1].since_t[0] <= 6.2
    assert told[-1].ids.tolist() == [1]


def test_an_owner_who_is_gone_owns_nothing() -> None:
    """An owner whose track has ended: after gone_s the bag is nobody's, since they were last seen near it."""
    told = play(lambda t: ([STANDING] if t < 5 else [], [on_back(STANDING)]), 10)
    assert owners(told)[-2:] == [1, NOBODY]
    assert told[-1].since_t[0] == pytest.approx(4.8)
    held = [n / 5 for n, things in enumerate(told) if things.owners.tolist() == [1]]
    assert held[-1] == pytest.approx(4.8 + CarriedParams().gone_s, abs=0.3)


def test_a_new_track_id_of_the_owner_takes_the_bag_over() -> None:
    """When the owner's track is replaced by another in the same place, the bag goes to that one."""
    told = play(lambda t: ([walker(t, id=1 if t < 5 else 9)], [on_back(walker(t))]), 11)
    assert [o for o in owners(told) if o != NOBODY] == [1, 9]
    assert {int(i) for things in told for i in things.ids} == {1}


def test_two_people_keep_their_own_bags() -> None:
    """Two who walk side by side, or cross, each keep what they carry."""
    a, b = lambda t: Person(1, 200 + 100 * t, 500, vx=100), lambda t: Person(2, 1000 - 100 * t, 540, vx=-100)
    told = play(lambda t: ([a(t), b(t)], [on_back(a(t)), on_back(b(t))]), 8, 10)
    last = {int(i): int(o) for i, o in zip(told[-1].ids, told[-1].owners, strict=True)}
    first = {int(i): int(o) for i, o in zip(told[25].ids, told[25].owners, strict=True)}
    assert sorted(first.values()) == sorted(last.values()) == [1, 2]


def test_names_that_flip_are_one_thing() -> None:
    """A bag that is called backpack, handbag and suitcase in turn is one thing, by vote."""
    carried = Carried()
    told = Things.empty()
    for n in range(40):
        kind = [Kind.HANDBAG, Kind.HANDBAG, Kind.BACKPACK, Kind.SUITCASE][n % 4]
        told = carried.step(stamp(n / 5), bags([(500, 450)], kind), tracks(n / 5, [Person(1, 500)]))
    assert (told.ids.tolist(), told.kinds.tolist()) == ([1], [Kind.HANDBAG])


def test_a_flicker_and_a_person_called_a_thing_are_nobodys() -> None:
    """What is there once is not told; a person taken for a backpack for a moment is not carried by anybody."""
    assert owners(play(lambda t: ([STANDING], [on_back(STANDING)] if t == 1.0 else []), 5)) == []
    carried = Carried()
    for n in range(20):
        person = detections([Person(1, 500)])
        whole = replace(person, kinds=np.array([Kind.BACKPACK], np.int64))
        told = carried.step(stamp(n / 5), whole, tracks(n / 5, [Person(1, 510)]))
    assert told.owners.tolist() == [NOBODY]


def test_a_scene_tells_things_and_forgets_them_with_the_epoch() -> None:
    """The rules see things beside the people; a new epoch starts with none, and no id comes back."""
    from uuid import UUID

    scene = Scene("cam", UUID(int=1), [])
    seen = [detections([Person(1, 500)]), bags([(495, 440)], Kind.HANDBAG)]
    both = Detections(
        *(np.concatenate([getattr(s, name) for s in seen]) for name in ("boxes", "scores", "kinds"))
    )
    for n in range(20):
        observation = scene.step(stamp(n / 5), both).observation
    assert observation.things.kinds.tolist() == [Kind.HANDBAG]
    assert observation.things.owners.tolist() == observation.tracks.ids.tolist() == [1]
    assert len(scene.step(stamp(0.0, epoch=1), both).observation.things) == 0
    for n in range(1, 20):
        observation = scene.step(stamp(n / 5, epoch=1), both).observation
    assert observation.things.ids.tolist() == [2]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(width=32, allow_nan=True)] * 4, st.floats(width=32, allow_nan=True)), max_size=8
    ),
    st.lists(st.tuples(*[st.floats(width=32, allow_nan=True)] * 4), max_size=3),
)
def test_impossible_boxes_harm_nobody(
    things: list[tuple[float, ...]], people: list[tuple[float, ...]]
) -> None:
    """Whatever numbers come, what is told is finite, and a real bag beside them keeps its owner."""
    carried = Carried()
    odd = Detections(
        np.array([t[:4] for t in things], np.float32).reshape(-1, 4),
        np.array([t[4] for t in things], np.float32),
        np.full(len(things), Kind.BOTTLE, np.int64),
    )
    for n in range(15):
        real = bags([(495, 440)])
        seen = Detections(
            *(np.concatenate([getattr(s, f) for s in (real, odd)]) for f in ("boxes", "scores", "kinds"))
        )
        rows = tracks(n / 5, [Person(1, 500), *(Person(50 + k, 100 * k) for k in range(len(people)))])
        rows.boxes[1:] = np.array(people, np.float32).reshape(-1, 4)
        told = carried.step(stamp(n / 5), seen, rows)
        for values in (told.boxes, told.since_t, told.seen_t):
            assert np.isfinite(values).all()
    mine = told.kinds == Kind.BACKPACK
    assert told.boxes[mine][0] == pytest.approx([483, 425, 507, 455])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_state_is_bounded_ids_are_new_and_owners_are_there(seed: int) -> None:
    """In noise: bounded state, no two things with one id, and every owner was seen within gone_s."""
    random = np.random.default_rng(seed)
    carried = Carried()
    seen: dict[int, float] = {}
    for n in range(60):
        t = n / 4
        people = [Person(int(i), *random.uniform(100, (WIDTH, HEIGHT))) for i in random.integers(1, 40, 6)]
        people = list({person.id: person for person in people}.values())
        seen |= {person.id: t for person in people}
        spots = random.uniform(0, (WIDTH, HEIGHT), (int(random.integers(0, 150)), 2)).tolist()
        told = carried.step(stamp(t), bags([(x, y) for x, y in spots]), tracks(t, people))
        assert len(told) == len(set(told.ids.tolist())) <= MAX_THINGS
        assert len(carried._things) <= MAX_THINGS
        assert all(t - seen[owner] <= CarriedParams().gone_s for owner in told.owners.tolist() if owner > 0)
        assert (told.since_t <= t).all()
    assert len(carried._seen) <= 40


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    """Things and people told in another order give the same owners."""
    random = np.random.default_rng(seed)
    straight, shuffled = Carried(), Carried()
    places = random.uniform(200, 800, (5, 2))
    for n in range(20):
        places = places + random.normal(0, 5, places.shape)
        people = [Person(i + 1, float(x), float(y)) for i, (x, y) in enumerate(places)]
        seen = bags([on_back(person) for person in people])
        a = straight.step(stamp(n / 5), seen, tracks(n / 5, people))
        mixed = [people[i] for i in random.permutation(5)]
        b = shuffled.step(stamp(n / 5), seen[random.permutation(5)], tracks(n / 5, mixed))
        for name in ("ids", "owners", "boxes", "since_t"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_nearness_is_in_the_persons_own_height() -> None:
    """On the axis 1, at reach 0, the same for near and far people; below the feet it falls."""
    people = np.array([[480, 400, 520, 500], [960, 100, 1040, 300]], np.float32)
    things = np.array([[495, 440, 505, 460], [990, 180, 1010, 220], [495, 500, 505, 540]], np.float64)
    near = nearness(things, people, 0.75)
    assert near[0, 0] == pytest.approx(1.0)
    assert near[1, 1] == pytest.approx(1.0)
    assert near[0, 1] == near[1, 0] == 0.0
    assert 0 < near[2, 0] < 0.7


@pytest.mark.parametrize(("field", "value"), [("lost_s", 0), ("own_vote", 2), ("reach_bh", float("nan"))])
def test_bad_parameter_is_named(field: str, value: float) -> None:
    """A parameter out of range is refused by name."""
    with pytest.raises(ConfigError, match=field):
        CarriedParams(**{field: value})
