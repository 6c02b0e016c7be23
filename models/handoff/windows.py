"""Labelled windows to learn from: which clip, which moment, which camera, all drawn from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detector.types import F32, I64, Mask
from models.handoff import confusers
from models.handoff.cameras import draw_view, facing_view, film
from models.handoff.features import ACTIVITIES, features
from models.handoff.skeleton_sets import Clip

# Seconds between hands meeting and the end of a window that shows it.
SOON_S, LATE_S = 0.25, 2.2
FAR_S = 2.8  # what met longer ago than this is over
MAKERS = (confusers.shaken, confusers.raised, confusers.strangers, confusers.passing)
# How often a window comes from which kind of clip.
SHARES = {"sbu": 0.45, "handover": 0.2, "gesture": 0.1, "made": 0.25}


@dataclass(frozen=True, slots=True)
class Windows:
    """What the network learns from; `folds` and `sets` say who may learn from which row."""

    inputs: F32  # (n, FEATURES, STEPS)
    labels: I64  # (n,) index into ACTIVITIES
    folds: I64  # (n,)
    gestures: Mask  # (n,) whether the clip is of the gesture set


def label_at(clip: Clip, end: float) -> str | None:
    """What a window that ends at `end` shows; None where it may be argued about."""
    if clip.label in ("approaching", "departing", "none"):
        return clip.label
    ago = end - clip.events
    if ((ago >= SOON_S) & (ago <= LATE_S)).any():
        return clip.label
    return "none" if not ((ago > -0.3) & (ago < FAR_S)).any() else None


def draw_windows(clips: Sequence[Clip], n: int, seed: int) -> Windows:
    """Draw `n` windows; kinds by SHARES, clips of a kind evenly, every one through a camera of its own."""
    rng = np.random.default_rng(seed)
    kinds = {kind: [clip for clip in clips if clip.name.startswith(kind)] for kind in SHARES}
    kinds["made"] = kinds["handover"]
    names = [kind for kind in SHARES if kinds[kind]]
    odds = np.array([SHARES[name] for name in names])
    inputs: list[F32] = []
    labels, folds, gestures = [], [], []
    while len(inputs) < n:
        kind = names[int(rng.choice(len(names), p=odds / odds.sum()))]
        clip = kinds[kind][int(rng.integers(0, len(kinds[kind])))]
        if kind == "made":
            clip = MAKERS[int(rng.integers(0, len(MAKERS)))](clip, rng)
        end = _draw_end(clip, rng)
        label = label_at(clip, end)
        if label is None:
            continue
        view = facing_view(rng) if kind == "sbu" and rng.random() < 0.5 else draw_view(rng)
        times, points = film(clip, end, view, rng, rng.uniform(0.8, 1.25))
        if kind != "sbu" and rng.random() < 0.3:
            late = int(rng.integers(0, len(times) // 2 + 1))
            times, points = times[late:], points[late:]
        seen = features(times, points, 0.0) if len(times) >= 4 else None
        if seen is None:
            continue
        inputs.append(seen)
        labels.append(ACTIVITIES.index(label))
        folds.append(clip.fold)
        gestures.append(kind == "gesture")
    return Windows(np.stack(inputs), np.array(labels), np.array(folds), np.array(gestures, np.bool_))


def _draw_end(clip: Clip, rng: np.random.Generator) -> float:
    """Mostly soon after the hands met, else anywhere; a short clip is seen to (nearly) its end."""
    last = float(clip.times[-1])
    if clip.name.startswith("sbu/"):
        return last - rng.uniform(0, 0.2) * last if rng.random() < 0.9 else rng.uniform(0.3, 1) * last
    if len(clip.events) and rng.random() < 0.7:
        return float(rng.choice(clip.events)) + rng.uniform(SOON_S, LATE_S)
    return rng.uniform(0.5, max(last, 0.6))
