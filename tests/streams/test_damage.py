"""Laws of damage: from the broken packet to the next whole keyframe no picture is believed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.damage import HEALED_S, Damage


def trusted(damage: Damage, t: float, keyframe: bool = False, corrupt: bool = False) -> bool:
    return damage.trusts(t, keyframe=keyframe, corrupt=corrupt)


def test_whole_pictures_are_believed() -> None:
    """Without damage everything is."""
    damage = Damage()
    assert all(trusted(damage, i / 10, i % 10 == 0) for i in range(50))


def test_what_is_built_on_damage_is_not_believed_until_a_keyframe() -> None:
    """The pictures after it look whole to the decoder (ING-12)."""
    damage = Damage()
    damage.at(1.0)
    assert [trusted(damage, 1.0 + i / 10, keyframe=i == 5) for i in range(8)] == [False] * 5 + [True] * 3


def test_a_corrupt_picture_is_damage_too() -> None:
    """And so is a corrupt keyframe."""
    damage = Damage()
    assert not trusted(damage, 0.0, keyframe=True, corrupt=True)
    assert not trusted(damage, 0.1)
    assert trusted(damage, 1.0, keyframe=True)


def test_a_keyframe_from_before_the_damage_heals_nothing() -> None:
    """A decoder that reorders shows it only after the damaged packet has come."""
    damage = Damage()
    damage.at(2.0)
    assert not trusted(damage, 1.9, keyframe=True)
    assert not trusted(damage, 2.1)
    assert trusted(damage, 2.2, keyframe=True)


def test_a_stream_without_keyframes_is_believed_after_a_while() -> None:
    """It refreshes its pictures stripe by stripe."""
    damage = Damage()
    damage.at(0.0)
    assert not trusted(damage, HEALED_S)
    assert trusted(damage, HEALED_S + 0.1)


def test_a_stream_whose_keyframes_are_far_apart_is_not_believed_before_the_next() -> None:
    """Twenty seconds apart: what is built on a loss is not believed after ten (ING-12); in the next epoch neither."""
    damage = Damage()
    assert trusted(damage, 0.0, keyframe=True)
    assert trusted(damage, 20.0, keyframe=True)
    for one in (damage, Damage(damage.keyframes_s)):
        one.at(21.0)
        assert [trusted(one, t) for t in (22.0, 31.5, 39.0)] == [False] * 3
        assert trusted(one, 40.0, keyframe=True)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_between_damage_and_keyframe_nothing_is_believed(steps: list[tuple[bool, bool]]) -> None:
    """Compared with the plain state machine, for any row of keyframes and corrupt pictures within the while."""
    damage, hurt = Damage(), False
    for i, (keyframe, corrupt) in enumerate(steps):
        hurt = corrupt or (hurt and not keyframe)
        assert trusted(damage, i / 100, keyframe, corrupt) is not hurt
