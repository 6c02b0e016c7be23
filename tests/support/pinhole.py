"""A made-up camera on a mast over flat ground: where points of the ground are in its picture, as it is in fact."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pinhole:
    """A camera `high_m` above (0, 0), looking along +y, `tilt_deg` below level."""

    high_m: float = 6.0
    tilt_deg: float = 25.0
    focal_widths: float = 0.9
    width: int = 1280
    height: int = 960

    def picture(self, ground_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (n, 2) of the ground -> x y px (n, 2); wanted: before the camera."""
        tilt, focal = math.radians(self.tilt_deg), self.focal_widths * self.width
        x, y = ground_m[:, 0], ground_m[:, 1]
        depth = y * math.cos(tilt) + self.high_m * math.sin(tilt)
        down = self.high_m * math.cos(tilt) - y * math.sin(tilt)
        return np.column_stack([self.width / 2 + focal * x / depth, self.height / 2 + focal * down / depth])

    def share(self, ground_m: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
        """The same, 0-1 of the picture."""
        return tuple((x / self.width, y / self.height) for x, y in self.picture(ground_m).tolist())
