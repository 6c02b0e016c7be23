"""Lines: two points of the upright picture, 0-1, with a direction. A line tells sides and remembers nothing.

The right side is on the right hand of who walks from the first point to the second; of a line drawn downwards
it is therefore the left half of the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from detector.errors import ConfigError
from detector.zones import Corner, check_name, corners_of

_MIN_LENGTH = 0.005  # of the picture: shorter is a slip of the hand
RIGHT, ON, LEFT = 1, 0, -1


@dataclass(frozen=True, slots=True)
class Line:
    """A named line. Raises ConfigError naming the point: not two points, not finite, outside 0-1, too near."""

    name: str
    points: tuple[Corner, Corner]

    def __post_init__(self) -> None:
        check_name("line", self.name)
        ends = corners_of(f"line {self.name!r}", self.points)
        if len(ends) != 2:
            raise ConfigError(
                "bad number of points", where=f"line {self.name!r}", wanted="2", got=str(len(ends))
            )
        if math.dist(*ends) < _MIN_LENGTH:
            raise ConfigError(
                "too short",
                where=f"line {self.name!r}",
                wanted=f"points at least {_MIN_LENGTH:g} of the picture apart",
                got=f"{ends[0]} and {ends[1]}",
            )
        object.__setattr__(self, "points", ends)

    def side(self, spot: Corner) -> int:
        """Give the side of the endless line that a spot (0-1) is on: RIGHT, LEFT or ON."""
        turn = _turn(*self.points, spot)
        return ON if turn == 0 else RIGHT if turn > 0 else LEFT

    def met_by(self, start: Corner, end: Corner) -> bool:
        """Say whether the way from `start` to `end`, on opposite sides, leads over the line between its points."""
        a, b = self.points
        return _turn(start, end, a) * _turn(start, end, b) <= 0

    def heading(self, width: int, height: int) -> Corner:
        """Give the way from the first point to the second, px of a width x height picture."""
        (x0, y0), (x1, y1) = self.points
        return (x1 - x0) * width, (y1 - y0) * height


def _turn(a: Corner, b: Corner, c: Corner) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
