"""Clips made from recorded ones in which nothing is handed over, though hands may meet or nearly meet.

A made clip keeps the fold of the clip it was made from. Drawn from the generator that is given.
"""

from __future__ import annotations

import numpy as np

from detector.types import F32
from models.handoff.skeleton_sets import Clip

MAKE_HZ = 30.0
REACH = ((9, 7), (10, 8))  # wrist and elbow of either arm


def shaken(clip: Clip, rng: np.random.Generator) -> Clip:
    """A handshake from a hand-over: the hands that meet hold on for a while and go up and down together."""
    at = int(np.searchsorted(clip.times, clip.events[0]))
    hold_s = rng.uniform(0.7, 3.0)
    n = int(hold_s * MAKE_HZ)
    joints = np.concatenate(
        [clip.joints[:at], np.repeat(clip.joints[at : at + 1], n, axis=0), clip.joints[at:]]
    )
    phase = np.arange(n) / MAKE_HZ * rng.uniform(1.5, 4.0) * 2 * np.pi
    swing = (np.sin(phase) * rng.uniform(5, 50)).astype(np.float32)
    sides = _nearest_arms(clip.joints[at])
    span = slice(at, at + n)
    for person, side in enumerate(sides):
        wrist, elbow = REACH[side]
        joints[span, person, wrist, 1] += swing
        joints[span, person, elbow, 1] += swing / 2
    joints = _drawn_together(joints, span, sides)
    times = np.arange(len(joints)) / MAKE_HZ
    return Clip(f"{clip.name}/shaken", "handshake", clip.fold, times, joints, times[at : at + n])


def raised(clip: Clip, rng: np.random.Generator) -> Clip:
    """A high five from a hand-over: the hands go up and meet at head height, quickly."""
    at = int(np.searchsorted(clip.times, clip.events[0]))
    joints = clip.joints.copy()
    away = np.abs(clip.times - clip.events[0])
    lift = (np.exp(-((away / rng.uniform(0.25, 0.6)) ** 2)) * rng.uniform(250, 550)).astype(np.float32)
    sides = _nearest_arms(clip.joints[at])
    for person, side in enumerate(sides):
        wrist, elbow = REACH[side]
        joints[:, person, wrist, 1] -= lift
        joints[:, person, elbow, 1] -= lift * 0.6
    joints = _drawn_together(joints, slice(max(at - 2, 0), at + 3), sides)
    return Clip(f"{clip.name}/raised", "high_five", clip.fold, clip.times, joints, clip.events)


def strangers(clip: Clip, rng: np.random.Generator) -> Clip:
    """One reaches while the other does not: the second person lags or leads by more than the reach lasts."""
    n = len(clip.times)
    lag = int(n * rng.uniform(0.35, 0.65))
    joints = clip.joints.copy()
    person = int(rng.integers(0, 2))
    joints[:, person] = np.roll(clip.joints[:, person], lag, axis=0)
    apart = np.nanmean(joints[:, 1, 5:7] - joints[:, 0, 5:7], axis=(0, 1)) * np.array([1, 0, 1], np.float32)
    joints[:, 1] += apart * rng.uniform(0.1, 0.6)
    keep = slice(0, lag) if rng.random() < 0.5 else slice(lag, n)
    return Clip(
        f"{clip.name}/strangers",
        "none",
        clip.fold,
        clip.times[keep] - clip.times[keep][0],
        joints[keep],
        np.zeros(0),
    )


def passing(clip: Clip, rng: np.random.Generator) -> Clip:
    """Two people who walk past, or along with, each other; arms swing."""
    seconds = 4.0
    times = np.arange(int(seconds * MAKE_HZ)) / MAKE_HZ
    start = clip.joints[: max(len(clip.joints) // 5, 1)]
    joints = np.repeat(start[int(rng.integers(0, len(start)))][None], len(times), axis=0).copy()
    for person in range(2):
        middle = np.nanmean(joints[0, person, 5:7], axis=0) * np.array([1, 0, 1], np.float32)
        joints[:, person] -= middle
        turn = rng.uniform(0, 2 * np.pi)
        joints[:, person] = _turned(joints[:, person], turn)
    course = rng.uniform(0, 2 * np.pi)
    ahead = np.array([np.cos(course), 0, np.sin(course)])
    side = np.array([-ahead[2], 0, ahead[0]])
    meet = rng.uniform(1.0, 3.0)
    for person in range(2):
        pace = rng.uniform(700, 1600) * (-1 if person and rng.random() < 0.7 else 1)
        way = (times - meet)[:, None] * pace * ahead + person * rng.uniform(350, 1000) * side
        joints[:, person] += way[:, None].astype(np.float32)
        for arm, (wrist, elbow) in enumerate(REACH):
            swing = np.sin(times * rng.uniform(5, 7) + np.pi * (arm + person))[:, None] * ahead
            joints[:, person, wrist] += (swing * rng.uniform(80, 250)).astype(np.float32)
            joints[:, person, elbow] += (swing * rng.uniform(20, 100)).astype(np.float32)
    return Clip(
        f"{clip.name}/passing", "passing", clip.fold, times, joints, times[[np.argmin(np.abs(times - meet))]]
    )


def _nearest_arms(joints: F32) -> tuple[int, int]:
    """Which arm of the first and of the second person is in the meeting, of joints (2, 17, 3)."""
    gaps = np.linalg.norm(joints[0, 9:11, None] - joints[1, None, 9:11], axis=-1)
    first, second = divmod(int(np.nanargmin(gaps)), 2)
    return first, second


def _drawn_together(joints: F32, span: slice, sides: tuple[int, int]) -> F32:
    """Bring the meeting wrists as near as hands that touch are (some 80 mm)."""
    one, two = (REACH[side][0] for side in sides)
    gap = joints[span, 1, two] - joints[span, 0, one]
    length = np.linalg.norm(gap, axis=-1, keepdims=True)
    move = gap * np.clip((length - 80) / np.maximum(length, 1), 0, 1) / 2
    joints[span, 0, one] += move
    joints[span, 1, two] -= move
    return joints


def _turned(joints: F32, angle: float) -> F32:
    cos, sin = np.cos(angle), np.sin(angle)
    x, z = joints[..., 0], joints[..., 2]
    return np.stack([x * cos + z * sin, joints[..., 1], -x * sin + z * cos], axis=-1).astype(np.float32)
