"""Loitering: one person who stays in a zone. Each stay is an incident of its own.

A stay ends when the person is seen outside for longer than `grace_s`, or is not seen for `gap_s`; time before
that does not count for a later stay. One that has been told goes on if the person is back within `close_s`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from detector.errors import check_range
from detector.persons import Persons
from detector.rules.base import History, Summary, Timing, View
from detector.rules.plain import PlainRule, finding_of, inside, name_of, paces, summary_of
from detector.types import Finding, Phase, Severity
from detector.zones import Zone

_JUST_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class LoiteringParams:
    """When somebody loiters. Raises ConfigError naming the field."""

    hold_s: float = 60.0  # s in the zone before an alert; more: fewer alerts, later
    grace_s: float = 0.5  # s outside that do not end a stay; more: forgives stepping out for longer
    gap_s: float = 2.0  # s unseen that do not end a stay; more: forgives more missed detections
    close_s: float = 30.0  # s after leaving until the alert closes; more: fewer repeats, later ends

    def __post_init__(self) -> None:
        Timing(hold_s=self.hold_s, gap_s=self.gap_s, close_s=self.close_s)
        check_range("grace_s", self.grace_s, 0.0, self.gap_s)


@dataclass(slots=True)
class _Stay:
    """One person's time in the zone."""

    key: str
    since_t: float
    inside_t: float  # last seen inside


class Loitering(PlainRule):
    """The rule "loitering" in one zone (None: the whole picture)."""

    name = "loitering"
    ended = "left"

    def __init__(self, params: LoiteringParams = LoiteringParams(), zone: Zone | None = None) -> None:
        timing = Timing(hold_s=params.hold_s, gap_s=params.gap_s, close_s=params.close_s)
        super().__init__(timing, asdict(params), name_of(zone))
        self._p, self._zone = params, zone
        self._persons = Persons()
        self._n_stays = 0
        self.reset()

    def reset(self) -> None:
        """Forget who was there."""
        self._persons.reset()
        self._stays: dict[int, _Stay] = {}  # by person

    def step(self, view: View) -> list[Finding]:
        """Give one finding per person whose stay goes on."""
        obs, t = view.obs, view.obs.stamp.t
        self._stays = {who: stay for who, stay in self._stays.items() if self._goes_on(stay, t)}
        here, speed = inside(self._zone, obs), paces(obs)
        findings = []
        for row, who in enumerate(self._persons.step(obs)):
            stay = self._stays.get(who)
            if here[row]:
                if stay is None:
                    self._n_stays += 1
                    stay = self._stays[who] = _Stay(f"stay-{self._n_stays}", t, t)
                stay.inside_t = t
                facts = {"n_people": 1, "speed_bh_s": float(speed[row])}
                findings.append(finding_of(self, obs, stay.key, np.array([row]), (Severity.MEDIUM, facts)))
            elif stay is not None and self._is_over(stay, t):
                del self._stays[who]
        return findings

    def summary(self, history: History, phase: Phase) -> Summary:
        """Tell the stay so far."""
        speed = history.median("speed_bh_s")
        verb = "was" if phase is Phase.CLOSED else "has been"
        return summary_of(
            history,
            {"speed_bh_s": speed},
            {"speed_bh_s": ("body heights/s", None)},
            f"One person {verb} {self.place()} for {history.dwell_s:.0f} s (at least {self._p.hold_s:g} s), "
            f"usual speed {speed:.1f} body heights a second",
        )

    def _is_over(self, stay: _Stay, t: float) -> bool:
        """Say whether who is seen outside has left; a stay that was told can go on until its alert closes."""
        return t - stay.inside_t > self._p.grace_s + _JUST_S and not self._was_told(stay)

    def _was_told(self, stay: _Stay) -> bool:
        return stay.inside_t - stay.since_t >= self._p.hold_s - _JUST_S

    def _goes_on(self, stay: _Stay, t: float) -> bool:
        if self._was_told(stay):
            return t - stay.inside_t < self._p.close_s - _JUST_S
        return t - stay.inside_t <= self._p.gap_s + _JUST_S
