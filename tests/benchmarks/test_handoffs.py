"""Laws of the hand-off benchmark: whatever folder of the layout is measured, under stable names, with its baseline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.handoffs import f1, handoff_figures, has_handoffs, ranked_precision
from detector.types import F32
from models.handoff.skeleton_sets import load_handovers, load_sbu

# Head, neck, torso, then shoulder, elbow, hand of each arm, hip, knee, foot of each leg: x, y in the picture.
SBU_PERSON = np.array(
    [
        [0, 0.3], [0, 0.4], [0, 0.5], [0.02, 0.42], [0.03, 0.52], [0.03, 0.62], [-0.02, 0.42], [-0.03, 0.52],
        [-0.03, 0.62], [0.02, 0.65], [0.02, 0.8], [0.02, 1.0], [-0.02, 0.65], [-0.02, 0.8], [-0.02, 1.0],
    ],
    np.float32,
)  # fmt: skip


def sbu_clip(n: int = 30) -> F32:
    """Two people, one of whom reaches out to the other's hand and back; the rest of 100 pictures is padding."""
    clip = np.zeros((3, 100, 15, 2), np.float32)
    for person, x in enumerate((0.35, 0.55)):
        clip[0, :n, :, person] = SBU_PERSON[:, 0] + x
        clip[1, :n, :, person] = SBU_PERSON[:, 1]
        clip[2, :n, :, person] = 1.7
    out = np.exp(-(((np.arange(n) - n / 2) / (n / 8)) ** 2))
    for person in (0, 1):
        for axis, goal in ((0, 0.45), (1, 0.5)):
            clip[axis, :n, 5, person] += out * (goal - clip[axis, :n, 5, person])
    return clip


def write_sbu(folder: Path) -> None:
    """Three folds of two clips each: an exchange and a departure."""
    folder.mkdir(parents=True)
    for fold in (1, 2, 3):
        clips = np.stack([sbu_clip(), sbu_clip(20)])
        np.savez(folder / f"fold{fold}.npz", skeletons=clips, label=np.array([6, 1], np.int8))


def test_average_precision_is_that_of_the_ranking() -> None:
    """All true ones first is 1; one false before the only true one is a half; F1 of nothing right is 0."""
    truth = np.array([True, False, True, False])
    assert ranked_precision(truth, np.array([0.9, 0.1, 0.8, 0.2])) == 1
    assert ranked_precision(np.array([False, True]), np.array([0.9, 0.8])) == 0.5
    assert f1(truth, ~truth) == 0
    assert f1(truth, truth) == 1


def test_padding_is_no_picture(tmp_path: Path) -> None:
    """Pictures of zeros at the end of an SBU clip are left out, and hands met where they were nearest."""
    write_sbu(tmp_path / "sbu")
    clips = load_sbu(tmp_path / "sbu")
    assert [len(clip.times) for clip in clips] == [30, 20] * 3
    assert [clip.fold for clip in clips] == [0, 0, 1, 1, 2, 2]
    assert clips[0].label == "exchange"
    assert clips[0].events[0] == pytest.approx(1.0, abs=0.07)


def test_figures_have_stable_names_and_the_baseline(tmp_path: Path) -> None:
    """What is measured has the names that scripts read, and the state machine beside it."""
    assert not has_handoffs(tmp_path)
    write_sbu(tmp_path / "sbu_interaction")
    assert has_handoffs(tmp_path)
    figures = {figure.name: figure for figure in handoff_figures(tmp_path, lambda *_: None)}
    assert {f"handoff.skeleton.sbu.{name}" for name in ("exchange_f1", "exchange_ap", "accuracy8")} <= set(
        figures
    )
    assert "touch_machine" in figures["handoff.skeleton.sbu.exchange_ap"].peers


def test_the_taken_object_tells_when(tmp_path: Path) -> None:
    """A recorded hand-over happened when the object came nearer to the receiver than to the giver."""
    n = 60
    giver, receiver, thing = np.zeros((n, 34, 3)), np.zeros((n, 34, 3)), np.zeros((n, 3))
    receiver[:, :, 0] = 1000
    thing[:, 0] = np.linspace(0, 1000, n)
    np.savez(
        tmp_path / "normal.npz",
        giver=giver.astype(np.int16),
        receiver=receiver.astype(np.int16),
        object=thing.astype(np.int16),
        lengths=np.array([n]),
    )
    (clip,) = load_handovers(tmp_path)
    assert clip.label == "exchange"
    assert clip.events[0] == pytest.approx(1.0, abs=0.04)
