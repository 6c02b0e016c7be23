"""Laws of the look at pairs: one call for all cameras, nothing before a pair is near, nothing guessed."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from support.handing import PERSON
from support.looking import LEFT, RIGHT, Pose, frame, people, scene, watch

from detector.errors import ModelError
from detector.rules.gathering import Gathering
from detector.scene import Scene
from detector.types import F32
from models.handoff.features import CLASSES
from models.handoff.network import ActivityNetwork
from streams.pairlook import Networks, PairLooker

NEAR, FAR = (270.0, 400.0), (345.0, 400.0)


def looker(pose: Pose) -> PairLooker:
    return PairLooker(lambda: Networks(pose, ActivityNetwork()))  # type: ignore[arg-type]


def test_pairs_of_all_cameras_go_in_one_call() -> None:
    """Two cameras with a pair each: one call of the pose network with both crops."""
    pose = Pose(LEFT, RIGHT)
    look, scenes = looker(pose), {name: scene(name) for name in ("a", "b")}
    for n in range(12):
        told = look.look([watch(one, name, people(LEFT, RIGHT), n) for name, one in scenes.items()])
    assert pose.calls[-1] == 2
    assert [len(sights) for sights in told] == [1, 1]
    sight = told[0][0]
    assert sight.skeletons[0, :, :2] == pytest.approx(PERSON + LEFT)
    assert sight.skeletons[1, :, :2] == pytest.approx(PERSON + RIGHT)
    assert set(sight.activities) == set(CLASSES)
    assert sum(sight.activities.values()) == pytest.approx(1.0, abs=1e-3)


def test_nothing_is_loaded_while_nobody_is_near() -> None:
    """People far apart, or a camera without the rule: no network is opened, nothing is computed."""

    def load() -> Networks:
        raise AssertionError("opened without need")

    look = PairLooker(load)
    apart, other = scene("a"), Scene("b", UUID(int=1), [Gathering()])
    for n in range(12):
        told = look.look(
            [watch(apart, "a", people(LEFT, (600.0, 400.0)), n), watch(other, "b", people(LEFT, RIGHT), n)]
        )
        assert told == [[], []]


def test_small_people_are_seen_without_skeletons() -> None:
    """Under 70 px nothing is cut or computed; the rule is told of the pair so that it can count it."""
    pose = Pose(LEFT, RIGHT)
    look, one = looker(pose), scene("a")
    for n in range(12):
        (sights,) = look.look([watch(one, "a", people(LEFT, (225.0, 400.0), scale=0.36), n)])
    assert pose.calls == []
    assert [bool(sight.skeletons.any()) for sight in sights] == [False]


def test_people_who_cannot_be_told_apart_get_no_skeleton() -> None:
    """Two boxes on one place: neither is given the one skeleton found, and it is counted."""
    pose = Pose((205.0, 400.0))
    look, one = looker(pose), scene("a")
    seen: list[F32] = []
    for n in range(12):
        (sights,) = look.look([watch(one, "a", people((190.0, 400.0), (220.0, 400.0)), n)])
        seen += [sight.skeletons for sight in sights]
    assert seen
    assert not any(skeletons.any() for skeletons in seen)
    assert look.n_unsure == len(seen)


def test_a_missing_network_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """No pose network: pairs are without skeletons, the worker goes on, and the log says it once."""

    def load() -> Networks:
        raise ModelError("the network file is missing", where="yolo11n-pose.onnx")

    look, one = PairLooker(load), scene("a")
    for n in range(12):
        (sights,) = look.look([watch(one, "a", people(LEFT, RIGHT), n)])
    assert not sights[0].skeletons.any()
    assert caplog.text.count("no look at hand-offs") == 1


def test_a_new_epoch_begins_anew() -> None:
    """After a reconnect skeletons of before tell nothing about who is who."""
    look, one = looker(Pose(LEFT, RIGHT)), scene("a")
    for n in range(6):
        look.look([watch(one, "a", people(LEFT, RIGHT), n)])
    late = scene("a")
    for n in range(6):
        picture = frame("a", n)
        picture = replace(picture, stamp=replace(picture.stamp, epoch=1))
        (sights,) = look.look([(picture, late.track(picture.stamp, people(LEFT, RIGHT)))])
    assert len(sights) == 1


def test_hands_far_apart_are_looked_at_every_second_time() -> None:
    """Hands that cannot meet in a tenth of a second: half the looks, what was seen stands; near ones at every picture."""
    for right, wanted in ((FAR, 0.5), (NEAR, 1.0)):
        pose, n = Pose(LEFT, right), 40
        look, one = looker(pose), scene("a")
        told = [look.look([watch(one, "a", people(LEFT, right), k)])[0] for k in range(n)]
        seen = [sights[0] for sights in told if sights]
        assert len(pose.calls) == pytest.approx(wanted * len(seen), abs=2)
        assert all(sight.skeletons.any() for sight in seen)
        assert seen[-1].activities.keys() == seen[-2].activities.keys() != set()
