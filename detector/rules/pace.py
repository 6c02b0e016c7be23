"""Rules about how people go: running (too fast), and wrong way (against the direction of a line).

Both ask the same of one person at a time, seen in this picture: a speed over the ground, in body heights a
second, that is above a limit for `hold_s`. Walking is about 0.8 body heights a second, running 1.8 and more.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from detector.errors import check_range
from detector.lines import Line
from detector.persons import Persons
from detector.rules.base import History, Summary, Timing, View
from detector.rules.plain import (
    PlainRule,
    finding_of,
    ground_speed,
    inside,
    name_of,
    paces,
    seen_now,
    summary_of,
)
from detector.types import F64, Fact, Finding, Observation, Phase, Severity
from detector.zones import Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningParams:
    """When somebody runs. Raises ConfigError naming the field."""

    min_pace_bh_s: float = 1.6  # body heights a second; more: only faster runners
    hold_s: float = 1.0  # s they must run before an alert; more: fewer alerts, later
    gap_s: float = 0.6  # s unseen or slower without starting anew; more: forgives more missed detections
    close_s: float = 10.0  # s after the last hit until the alert closes; more: fewer repeats, later ends

    def __post_init__(self) -> None:
        check_range("min_pace_bh_s", self.min_pace_bh_s, 0.5, 10.0)
        Timing(hold_s=self.hold_s, gap_s=self.gap_s, close_s=self.close_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongWayParams:
    """When somebody goes the wrong way. Raises ConfigError naming the field."""

    min_against_bh_s: float = 0.3  # body heights a second against the line; more: only brisk walkers
    max_angle_deg: float = 60.0  # from straight against; less: only those who go straight against it
    hold_s: float = 1.5  # s they must go so before an alert; more: fewer alerts, later
    gap_s: float = 0.6  # s unseen or otherwise without starting anew; more: forgives more missed detections
    close_s: float = 10.0  # s after the last hit until the alert closes; more: fewer repeats, later ends

    def __post_init__(self) -> None:
        check_range("min_against_bh_s", self.min_against_bh_s, 0.0, 10.0, above=True)
        check_range("max_angle_deg", self.max_angle_deg, 0.0, 90.0, above=True)
        Timing(hold_s=self.hold_s, gap_s=self.gap_s, close_s=self.close_s)


class _Pace(PlainRule, ABC):
    """One finding per person whose speed, as the rule means it, is above its limit."""

    fact: str  # the name of that speed
    grade = Severity.MEDIUM

    def __init__(self, timing: Timing, params: Mapping[str, Fact], zone: Zone | None, limit: float) -> None:
        super().__init__(timing, params, name_of(zone))
        self._zone, self._limit = zone, limit
        self._persons = Persons()

    def reset(self) -> None:
        """Forget who is who."""
        self._persons.reset()

    def step(self, view: View) -> list[Finding]:
        """Give the finding of each person who is too fast."""
        obs = view.obs
        speed = self._speeds(obs)
        hits = inside(self._zone, obs) & seen_now(obs) & (speed >= self._limit)
        persons = self._persons.step(obs)
        return [
            finding_of(
                self,
                obs,
                f"person-{persons[row]}",
                np.array([row]),
                (self.grade, {self.fact: float(speed[row])}),
            )
            for row in np.flatnonzero(hits).tolist()
        ]

    def summary(self, history: History, phase: Phase) -> Summary:
        """Tell it so far."""
        usual, most = history.median(self.fact), history.most(self.fact)
        return summary_of(
            history,
            {self.fact: usual, f"max_{self.fact}": most},
            {self.fact: ("body heights/s", self._limit)},
            f"One person {self._verb(phase)} {self.place()} for {history.dwell_s:.1f} s at {usual:.1f} body heights "
            f"a second, {most:.1f} at most (at least {self._limit:g} for {self.timing.hold_s:g} s)",
        )

    @abstractmethod
    def _speeds(self, obs: Observation) -> F64:
        """Give how fast each person is, as the rule means it: (n,)."""

    @abstractmethod
    def _verb(self, phase: Phase) -> str:
        """Say what the person does or did."""


class Running(_Pace):
    """The rule "running" in one zone (None: the whole picture)."""

    name = "running"
    ended = "slower or gone"
    fact = "pace_bh_s"

    def __init__(self, params: RunningParams = RunningParams(), zone: Zone | None = None) -> None:
        timing = Timing(hold_s=params.hold_s, gap_s=params.gap_s, close_s=params.close_s)
        super().__init__(timing, asdict(params), zone, params.min_pace_bh_s)

    def _speeds(self, obs: Observation) -> F64:
        return paces(obs)

    def _verb(self, phase: Phase) -> str:
        return "ran" if phase is Phase.CLOSED else "has run"


class WrongWay(_Pace):
    """The rule "wrong_way" in one zone (None: the whole picture); the line points the way that is right."""

    name = "wrong_way"
    ended = "turned or gone"
    fact = "against_bh_s"

    def __init__(self, params: WrongWayParams, zone: Zone | None, line: Line) -> None:
        timing = Timing(hold_s=params.hold_s, gap_s=params.gap_s, close_s=params.close_s)
        told = {**asdict(params), "line": line.name}
        super().__init__(timing, told, zone, params.min_against_bh_s)
        self._line, self._cosine = line, math.cos(math.radians(params.max_angle_deg))

    def _speeds(self, obs: Observation) -> F64:
        speed = ground_speed(obs)
        right_way = np.repeat([self._line.heading(obs.stamp.width, obs.stamp.height)], len(speed), axis=0)
        right_way[:, 1] *= obs.depth_gain  # on the ground where they are, as the speed is
        right_way /= np.hypot(*right_way.T)[:, None]
        against: F64 = -(speed * right_way).sum(axis=1)
        against[against < self._cosine * np.hypot(*speed.T)] = 0.0
        return against

    def _verb(self, phase: Phase) -> str:
        return f"{'went' if phase is Phase.CLOSED else 'has gone'} against {self._line.name!r}"
