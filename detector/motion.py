"""Where bodies are and will be: a Kalman filter stepped by seconds, for all of them at once. Pure arrays.

Position and speed share one small covariance per body, the same along x and y, in body heights, so that a
person near the camera and one far away are treated alike. Speed fades while nothing is seen: people stop and
turn. Sizes are filtered as logarithms and have no speed.

Source: Kalman 1960; white-noise acceleration as in Bar-Shalom, Li, Kirubarajan, Estimation with Applications
to Tracking and Navigation (2001), section 6.2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from detector.types import F32, F64, I64, Mask

# The point that is followed, as a part of the height from the top: near the hip. Feet hide behind what stands
# in front, and cut boxes shift their middle; tuned with the rest (see TrackerParams).
HIP = 0.65


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionParams:
    """How people move and how well boxes are measured. `bh` is one body height."""

    accel_bh_s2: float = 0.5  # more follows turns sooner, less bridges gaps straighter
    fade_s: float = 3.0  # more keeps an unseen person walking longer, less lets them stop sooner
    start_speed_bh_s: float = 0.7  # more believes the first two boxes of a track, less a standing start
    place_noise_bh: float = 0.05  # more smooths places, less follows each box
    size_noise: float = 0.08  # the same for sizes, as a share of the size
    size_drift: float = 0.08  # share of the size per root second; more follows a changing size sooner
    weak_noise: float = 3.0  # how much less a weak detection counts: variance times this


@dataclass(slots=True)
class Motion:
    """The state of n bodies."""

    place: F64  # (n, 2) x y px of the hip
    speed: F64  # (n, 2) px/s
    log_size: F64  # (n, 2) log of width and height in px
    spread: F64  # (4, n) variance of place bh², its covariance with speed, variance of speed, of log size

    @classmethod
    def start(cls, boxes: F64, params: MotionParams) -> Self:
        """Begin bodies at boxes (n, 4) of positive size, standing."""
        first = np.array([params.place_noise_bh**2, 0.0, params.start_speed_bh_s**2, params.size_noise**2])
        place, log_size = measure(boxes)
        return cls(place, np.zeros_like(place), log_size, np.tile(first[:, None], len(boxes)))

    def __len__(self) -> int:
        return len(self.place)

    def heights(self) -> F64:
        """Give the heights (n,) in px."""
        height: F64 = np.exp(self.log_size[:, 1])
        return height

    def speeds_bh(self) -> F64:
        """Give the speeds (n,) in body heights per second."""
        return np.hypot(self.speed[:, 0], self.speed[:, 1]) / self.heights()

    def doubt_bh(self) -> F64:
        """Give the standard deviations (n,) of the places, in body heights."""
        doubt: F64 = np.sqrt(self.spread[0])
        return doubt

    def boxes(self) -> F64:
        """Give the boxes (n, 4) x0 y0 x1 y1 px."""
        size = np.exp(self.log_size)
        low = self.place - size * (0.5, HIP)
        return np.concatenate([low, low + size], axis=1)

    def keep(self, rows: Mask | I64) -> None:
        """Forget all bodies but those in `rows`."""
        self.place, self.speed = self.place[rows], self.speed[rows]
        self.log_size, self.spread = self.log_size[rows], self.spread[:, rows]

    def add(self, other: Motion) -> None:
        """Append the bodies of `other`."""
        self.place = np.concatenate([self.place, other.place])
        self.speed = np.concatenate([self.speed, other.speed])
        self.log_size = np.concatenate([self.log_size, other.log_size])
        self.spread = np.concatenate([self.spread, other.spread], axis=1)

    def predict(self, dt: float, params: MotionParams) -> None:
        """Step all bodies by `dt` seconds, unseen."""
        fade = np.exp(-dt / params.fade_s)
        reach = params.fade_s * (1.0 - fade)
        self.place = self.place + self.speed * reach
        self.speed = self.speed * fade
        place, both, speed, size = self.spread
        push = params.accel_bh_s2**2 * dt
        place += 2 * reach * both + reach**2 * speed + push * dt**2 / 3
        both += reach * speed
        both *= fade
        both += push * dt / 2
        speed *= fade**2
        speed += push
        size += params.size_drift**2 * dt

    def correct(self, rows: I64, boxes: F64, weak: Mask, params: MotionParams) -> None:
        """Take in what was seen of bodies `rows` (k,): boxes (k, 4) of positive size, which are weak (k,)."""
        seen_place, seen_size = measure(boxes)
        trust = np.where(weak, params.weak_noise, 1.0)
        place, both, speed, size = self.spread[:, rows]
        surprise = place + params.place_noise_bh**2 * trust
        gain, speed_gain = place / surprise, both / surprise
        size_gain = size / (size + params.size_noise**2 * trust)
        error = seen_place - self.place[rows]
        self.place[rows] += gain[:, None] * error
        self.speed[rows] += speed_gain[:, None] * error
        self.log_size[rows] += size_gain[:, None] * (seen_size - self.log_size[rows])
        left = 1.0 - gain
        self.spread[:, rows] = (
            place * left,
            both * left,
            speed - speed_gain * both,
            size * (1.0 - size_gain),
        )


def measure(boxes: F64) -> tuple[F64, F64]:
    """Give hips (n, 2) px and log sizes (n, 2) of boxes (n, 4) of positive size."""
    size = boxes[:, 2:] - boxes[:, :2]
    return boxes[:, :2] + size * (0.5, HIP), np.log(size)


def as_f32(values: F64) -> F32:
    """Give the same numbers in the type that leaves the tracker."""
    return values.astype(np.float32)
