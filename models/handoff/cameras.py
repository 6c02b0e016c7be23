"""Virtual cameras: recorded joints seen from anywhere, at any rate, as badly as a pose network sees them.

Everything is drawn from the generator that is given: the same seed films the same pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from detector.types import F32, F64, Mask
from models.handoff.skeleton_sets import Clip, between

PERSON_MM = 1700.0  # noise is told as a share of a person's height
SEEN_S = 3.4  # a little more than the network's window


@dataclass(frozen=True, slots=True)
class View:
    """Where a camera stands and how well it sees."""

    azimuth: float  # rad, about the vertical
    tilt: float  # rad downwards
    distance_mm: float
    rate_hz: float
    noise: float  # standard deviation of a joint, body heights; wrists half as much again
    missing: float  # share of joints that are not seen
    upper_only: bool  # legs hidden
    no_hips: bool
    mirrored: bool


def draw_view(rng: np.random.Generator) -> View:
    """A camera 2 to 6 m high and 3 to 15 m away, more or less."""
    upper_only = bool(rng.random() < 0.4)
    return View(
        azimuth=rng.uniform(0, 2 * np.pi),
        tilt=rng.uniform(0.0, 0.85),
        distance_mm=rng.uniform(3000, 15000),
        rate_hz=rng.uniform(5, 15),
        noise=float(np.exp(rng.uniform(np.log(0.003), np.log(0.03)))),
        missing=rng.uniform(0, 0.12),
        upper_only=upper_only,
        no_hips=upper_only and bool(rng.random() < 0.5),
        mirrored=bool(rng.random() < 0.5),
    )


def facing_view(rng: np.random.Generator) -> View:
    """A camera that stands about where the recording's own stood, far away and level, and sees well."""
    return replace(
        draw_view(rng),
        azimuth=rng.normal(0, 0.2),
        tilt=abs(rng.normal(0, 0.12)),
        distance_mm=rng.uniform(6000, 40000),
        noise=rng.uniform(0.0, 0.01),
        missing=rng.uniform(0, 0.04),
        upper_only=bool(rng.random() < 0.15),
        no_hips=False,
    )


def film(clip: Clip, end: float, view: View, rng: np.random.Generator, speed: float = 1.0) -> tuple[F64, F32]:
    """Times (n,) and points (n, 2, 17, 3) of the pictures up to clip time `end`; time runs `speed` times as fast."""
    count = int(SEEN_S * view.rate_hz) + 1
    times = -np.arange(count - 1, -1, -1) / view.rate_hz
    times[:-1] += rng.uniform(-0.2, 0.2, count - 1) / view.rate_hz
    at = end + times * speed
    there = at >= clip.times[0] - 1e-6
    times, at = times[there], at[there]
    joints = between(clip, at)
    return times, observe(joints, view, rng)


def observe(joints: F32, view: View, rng: np.random.Generator) -> F32:
    """Points (n, 2, 17, 3), with confidence, of joints (n, 2, 17, 3) as `view` sees them."""
    n = len(joints)
    points = look(joints, view)
    height = PERSON_MM / view.distance_mm
    spread = np.full(17, view.noise * height)
    spread[9:11] *= 1.5
    shake = rng.normal(size=(n, 2, 17, 2))
    sway = np.repeat(rng.normal(size=(1 + n // 4, 2, 17, 2)), 4, axis=0)[:n]
    points = points + (0.7 * shake + 0.7 * sway) * spread[:, None]
    if view.mirrored:
        points = points * np.array([-1.0, 1.0])
    seen = np.isfinite(points).all(-1) & ~_hidden(n, view, rng)
    return np.concatenate([np.where(seen[..., None], points, 0.0), seen[..., None]], axis=-1).astype(
        np.float32
    )


def look(joints: F32, view: View) -> F32:
    """Project joints (n, 2, 17, 3) mm into the picture (n, 2, 17, 2); the camera looks at the pair's middle."""
    centred = joints - joints[:, :, 5:7].reshape(-1, 3).mean(axis=0)  # shoulders: every set has them
    cos, sin = np.cos(view.azimuth), np.sin(view.azimuth)
    x = centred[..., 0] * cos + centred[..., 2] * sin
    away = -centred[..., 0] * sin + centred[..., 2] * cos
    cos, sin = np.cos(view.tilt), np.sin(view.tilt)
    depth = np.maximum(view.distance_mm + centred[..., 1] * sin + away * cos, 500.0)
    y = centred[..., 1] * cos - away * sin
    points: F32 = np.stack([x, y], axis=-1) / depth[..., None]
    return points


def _hidden(n: int, view: View, rng: np.random.Generator) -> Mask:
    """Which joints are not seen (n, 2, 17): one by one, in runs, a whole person for a moment, the lower body."""
    hidden = rng.random((n, 2, 17)) < view.missing / 2
    runs = rng.random((1 + n // 5, 2, 17)) < view.missing / 2
    hidden |= np.repeat(runs, 5, axis=0)[:n]
    if rng.random() < 0.2:
        at = int(rng.integers(0, n))
        hidden[at : at + 2, int(rng.integers(0, 2))] = True
    if view.upper_only:
        hidden[:, :, 13:] = True
    if view.no_hips:
        hidden[:, :, 11:13] = True
    return hidden
