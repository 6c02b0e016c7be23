"""Line crossing: each time one person goes over a line in the wanted direction is an incident.

Somebody has crossed when their way led over the line between its points and they then stayed on the other side
for `hold_s`. Coming back sooner is wobbling and counts for nothing, in either direction; going round the line's
end is no crossing. Only places where a person was really seen count, not where a track expects them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from detector.errors import ConfigError
from detector.lines import ON, RIGHT, Line
from detector.persons import Persons
from detector.rules.base import History, Summary, Timing, View
from detector.rules.plain import PlainRule, finding_of, paces, seen_now, summary_of
from detector.types import Finding, Phase, Severity
from detector.zones import Corner

Direction = Literal["both", "to_right", "to_left"]
_DIRECTIONS = ("both", "to_right", "to_left")
_MEMORY_S = 10.0  # whoever is not seen for so long is a new person on whatever side they appear
_JUST_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossingParams:
    """Which crossings count. Raises ConfigError naming the field."""

    direction: Direction = "both"  # seen by who walks along the line from its first point
    hold_s: float = 1.0  # s on the other side that make a crossing; more: less wobbling told, later alerts
    gap_s: float = 0.6  # s unseen there without starting anew; more: forgives more missed detections
    close_s: float = 5.0  # s after which the alert closes; a crossing has no length of its own

    def __post_init__(self) -> None:
        if self.direction not in _DIRECTIONS:
            raise ConfigError(
                "no such direction",
                where="direction",
                wanted=", ".join(_DIRECTIONS),
                got=repr(self.direction),
            )
        Timing(hold_s=self.hold_s, gap_s=self.gap_s, close_s=self.close_s)


@dataclass(slots=True)
class _Walker:
    """One person: the side they count as being on, and since when they seem to be on the other."""

    side: int
    spot: Corner
    t: float
    key: str = ""  # of the crossing that is forming; "": none
    since_t: float = 0.0


class Crossing(PlainRule):
    """The rule "crossing" at one line."""

    name = "crossing"
    ended = "crossed"

    def __init__(self, params: CrossingParams, line: Line) -> None:
        timing = Timing(hold_s=params.hold_s, gap_s=params.gap_s, close_s=params.close_s)
        super().__init__(timing, asdict(params), line.name)
        self._p, self._line = params, line
        self._persons = Persons()
        self._n_crossings = 0
        self.reset()

    def reset(self) -> None:
        """Forget who is on which side."""
        self._persons.reset()
        self._walkers: dict[int, _Walker] = {}

    def step(self, view: View) -> list[Finding]:
        """Give one finding per person who is on the way over the line, until it is sure."""
        obs, t = view.obs, view.obs.stamp.t
        self._walkers = {who: one for who, one in self._walkers.items() if t - one.t <= _MEMORY_S}
        seen, pace = seen_now(obs), paces(obs)
        spots = obs.feet.astype(np.float64) / (obs.stamp.width, obs.stamp.height)
        findings = []
        for row, who in enumerate(self._persons.step(obs)):
            if not seen[row]:
                continue
            spot = float(spots[row, 0]), float(spots[row, 1])
            side = self._line.side(spot)
            walker = self._walkers.setdefault(who, _Walker(side, spot, t))
            key = self._look(walker, spot, side, t)
            if key and self._wanted(side):
                facts = {"to_right": side == RIGHT, "pace_bh_s": float(pace[row])}
                findings.append(finding_of(self, obs, key, np.array([row]), (Severity.LOW, facts)))
        return findings

    def _look(self, walker: _Walker, spot: Corner, side: int, t: float) -> str:
        """Take in where a person is now; give the key of the crossing they are making, "" for none."""
        before, seen_t = walker.spot, walker.t
        walker.spot, walker.t = spot, t
        if walker.side == ON:
            walker.side = side
        if side in (ON, walker.side):
            walker.key = ""
            return ""
        if not walker.key and not self._line.met_by(before, spot):
            walker.side = side  # they went round its end
            return ""
        if not walker.key:
            self._n_crossings += 1
            walker.key, walker.since_t = f"crossing-{self._n_crossings}", t
        elif t - seen_t > self._p.gap_s + _JUST_S:
            walker.since_t = t
        key = walker.key
        if t - walker.since_t >= self._p.hold_s - _JUST_S:
            walker.side, walker.key = side, ""
        return key

    def _wanted(self, side: int) -> bool:
        return self._p.direction in ("both", "to_right" if side == RIGHT else "to_left")

    def summary(self, history: History, phase: Phase) -> Summary:
        """Tell the crossing."""
        del phase
        way, pace = (
            ("to the right" if history.latest("to_right") else "to the left"),
            history.median("pace_bh_s"),
        )
        return summary_of(
            history,
            {"direction": way, "pace_bh_s": pace},
            {"pace_bh_s": ("body heights/s", None)},
            f"One person crossed {self.zone!r} {way} and stayed there for {self._p.hold_s:g} s",
        )
