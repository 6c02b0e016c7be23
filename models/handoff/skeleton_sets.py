"""Loaders of recorded skeletons of two people, all brought into one form. Reads files; draws nothing at random.

A folder that is missing gives no clips. Whatever folds, motions and recordings lie in a folder are read.
Lengths in millimetres, axes x right, y down, z away from the viewer.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detector.errors import ConfigError
from detector.types import F32, F64

SBU_RATE_HZ = 15.0
ZED_RATE_HZ = 30.0
TOUCH_MM = 160.0  # wrists of a handshake or a fist bump are this near
FOLDS = 3

# COCO joint <- the set's joint; joints left out are never seen.
SBU_JOINTS = {0: 0, 5: 3, 7: 4, 9: 5, 6: 6, 8: 7, 10: 8, 11: 9, 13: 10, 15: 11, 12: 12, 14: 13, 16: 14}
ZED_JOINTS = {
    0: 27, 1: 28, 2: 30, 3: 29, 4: 31, 5: 5, 6: 12, 7: 6, 8: 13, 9: 7, 10: 14,
    11: 18, 12: 22, 13: 19, 14: 23, 15: 20, 16: 24,
}  # fmt: skip
KINECT_JOINTS = {0: 1, 5: 2, 7: 4, 9: 6, 6: 3, 8: 5, 10: 7}

SBU_LABELS = (
    "approaching", "departing", "kicking", "pushing", "handshake", "hug", "exchange", "punching",
)  # fmt: skip
GESTURES = {"shaking": "handshake", "rocket": "high_five", "parachute": "high_five", "waving": "none"}


@dataclass(frozen=True, slots=True)
class Clip:
    """Two people's joints over time."""

    name: str
    label: str  # one of features.ACTIVITIES
    fold: int  # 0 .. FOLDS - 1: who is seen in one fold is in no other
    times: F64  # (n,) s
    joints: F32  # (n, 2, 17, 3) mm; NaN for joints the set has not
    events: F64  # (k,) s: when hands met; empty for what has no such moment


def between(clip: Clip, at: F64) -> F32:
    """Joints of a clip at any times; the last picture stands still after the end."""
    right = np.clip(np.searchsorted(clip.times, at), 1, len(clip.times) - 1)
    span = np.maximum(clip.times[right] - clip.times[right - 1], 1e-6)
    part = np.clip((at - clip.times[right - 1]) / span, 0, 1)[:, None, None, None]
    return (clip.joints[right - 1] * (1 - part) + clip.joints[right] * part).astype(np.float32)


def load_sbu(folder: Path) -> list[Clip]:
    """SBU Kinect Interaction; x and y of a clip are its picture as recorded."""
    clips = []
    for fold, path in enumerate(sorted(folder.glob("fold*.npz"))):
        with _open(path) as stored:
            skeletons, labels = stored["skeletons"].astype(np.float32), stored["label"]
        for row, (skeleton, number) in enumerate(zip(skeletons, labels, strict=True)):
            used = np.abs(skeleton).sum(axis=(0, 2, 3)) > 0  # the rest of the 100 pictures is padding
            places = skeleton[:, used].transpose(1, 3, 2, 0) * np.array([2560, 1920, 1280], np.float32)
            joints = _coco(places, SBU_JOINTS)
            times = np.arange(len(joints)) / SBU_RATE_HZ
            label = SBU_LABELS[int(number)]
            meets = label not in ("approaching", "departing")
            events = times[[_nearest(joints).argmin()]] if meets else np.zeros(0)
            clips.append(Clip(f"sbu/{path.stem}/{row}", label, fold % FOLDS, times, joints, events))
    return clips


def load_handovers(folder: Path) -> list[Clip]:
    """Recorded hand-overs; the hands meet when the object comes nearer to the receiver's wrists."""
    clips = []
    for path in sorted(folder.glob("*.npz")):
        with _open(path) as stored:
            arrays = {key: stored[key] for key in ("giver", "receiver", "object", "lengths")}
        ends = np.cumsum(arrays["lengths"])
        for row, end in enumerate(ends):
            part = slice(end - arrays["lengths"][row], end)
            raw = np.stack([arrays["giver"][part], arrays["receiver"][part]], axis=1).astype(np.float32)
            joints = _coco(np.stack([raw[..., 0], -raw[..., 2], raw[..., 1]], axis=-1), ZED_JOINTS)
            thing = arrays["object"][part].astype(np.float32)
            wrists = raw[:, :, (7, 14)]
            away = np.linalg.norm(wrists - thing[:, None, None], axis=-1).min(-1)
            taken = int(np.argmax(away[:, 1] < away[:, 0]))
            times = np.arange(len(joints)) / ZED_RATE_HZ
            fold = row * FOLDS // len(ends)
            name = f"handover/{path.stem}/{row}"
            clips.append(Clip(name, "exchange", fold, times, joints, times[[taken]]))
    return clips


def load_gestures(folder: Path) -> list[Clip]:
    """Handshakes, fist bumps and waves of upper bodies; a fold is a pair of people (or two pairs)."""
    clips = []
    firsts = sorted((folder / "buetepage_kinect").glob("*/*_user_1.txt.gz"))
    pairs = sorted({path.name.split("_")[1] for path in firsts})
    for path in firsts:
        first, second = (
            _read_gesture(path.with_name(path.name.replace("user_1", f"user_{n}"))) for n in (1, 2)
        )
        n = min(len(first), len(second))
        raw = np.stack([first[:n, 1:], second[:n, 1:]], axis=1).reshape(n, 2, 8, 3).astype(np.float32)
        joints = _coco(raw * np.array([1, -1, 1], np.float32), KINECT_JOINTS)
        times = np.cumsum(first[:n, 0])
        label = GESTURES[path.parent.name]
        met = _nearest(joints) < TOUCH_MM
        events = times[met] if label != "none" else np.zeros(0)
        fold = min(pairs.index(path.name.split("_")[1]), FOLDS - 1)
        name = f"gesture/{path.parent.name}/{path.name.split('_user')[0]}"
        clips.append(Clip(name, label, fold, times, joints, events))
    return clips


def load_all(data: Path) -> Iterator[Clip]:
    """Every clip of the three sets under the data folder."""
    yield from load_sbu(data / "sbu_interaction")
    yield from load_handovers(data / "h2h_handover_zed")
    yield from load_gestures(data / "interaction_skeletons_negative")


def _coco(places: F32, joints: dict[int, int]) -> F32:
    """Joints (n, 2, 17, 3) of places (n, 2, m, 3)."""
    there = np.full((*places.shape[:2], 17, 3), np.nan, np.float32)
    there[:, :, list(joints)] = places[:, :, list(joints.values())]
    return there


def _nearest(joints: F32) -> F32:
    """Least distance of the two people's wrists, mm (n,)."""
    first, second = joints[:, 0, 9:11], joints[:, 1, 9:11]
    gaps: F32 = np.linalg.norm(first[:, :, None] - second[:, None], axis=-1)
    nearest: F32 = gaps.min((1, 2))
    return nearest


def _read_gesture(path: Path) -> F64:
    """Rows of step and 24 numbers; a last line that was cut is left out."""
    rows = []
    with gzip.open(path, "rt", encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            if len(words) == 26:
                rows.append([float(words[0]), *(float(word) for word in words[2:])])
            else:
                break
    return np.array(rows).reshape(-1, 25)


def _open(path: Path) -> np.lib.npyio.NpzFile:
    try:
        return np.load(path)  # type: ignore[no-any-return]
    except (OSError, ValueError) as error:
        raise ConfigError(
            "skeletons cannot be read", where=str(path), wanted="an npz file", got=str(error)
        ) from error
