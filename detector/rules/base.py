"""What a rule is: it says what is true *now* and how to tell it; only `episodes.py` holds and repeats."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from detector.errors import ConfigError, check_range
from detector.groups import Group
from detector.pairs import PairSight
from detector.types import SEVERITY_ORDER, Fact, Finding, Observation, Phase, Series, Severity

_STEPS = sorted(SEVERITY_ORDER, key=SEVERITY_ORDER.__getitem__)
AT_ONCE_S = 1e-6  # to hold for no longer is not to hold
MAX_POINTS = 1000  # of a history; then every other point is dropped, so an hour and a minute cost the same


@dataclass(frozen=True, slots=True)
class View:
    """What all rules of a camera are shown of one picture; groups are worked out once and shared."""

    obs: Observation
    groups: Mapping[float, Sequence[Group]]  # by link distance in bh: those the camera's rules ask for
    pairs: Sequence[PairSight] = ()  # close pairs whose skeletons were looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long a thing must be true, may be interrupted, and is waited for after its end. Stream seconds."""

    hold_s: float  # true for this long before an alert opens; more: fewer alerts, later
    gap_s: float  # longest time between two hits that does not break the hold; more: forgives more misses
    close_s: float  # an alert closes this long after the last hit; more: fewer repeats, later ends

    def __post_init__(self) -> None:
        for name in ("hold_s", "gap_s", "close_s"):
            check_range(name, getattr(self, name), 0.0, 86_400.0, above=True)
        if self.gap_s >= self.hold_s:
            raise ConfigError(
                "too long a gap",
                where="gap_s",
                wanted=f"less than hold_s ({self.hold_s:g})",
                got=f"{self.gap_s:g}",
            )
        if self.close_s < self.gap_s:
            raise ConfigError(
                "too short",
                where="close_s",
                wanted=f"at least gap_s ({self.gap_s:g})",
                got=f"{self.close_s:g}",
            )

    @property
    def at_once(self) -> bool:
        """Whether an alert opens at its first hit: of what is over in a moment."""
        return self.hold_s <= AT_ONCE_S


@dataclass(frozen=True, slots=True)
class Summary:
    """An incident so far, in numbers and in words."""

    facts: Mapping[str, Fact]
    series: tuple[Series, ...]
    score: float  # 0-1
    reason: str  # one sentence a person understands, with the numbers


class Teller(Protocol):
    """What an incident needs to be held, graded and told, whoever found it."""

    name: str  # "gathering"
    version: int  # grows when the same pictures may give other alerts
    zone: str  # "" is the whole picture
    timing: Timing
    params: Mapping[str, Fact]  # as written in every alert
    ended: str  # the `end_reason` of an incident that ended by itself

    def severity(self, finding: Finding, dwell_s: float) -> Severity:
        """Grade a finding of an incident that has lasted for `dwell_s`."""
        ...

    def summary(self, history: History, phase: Phase) -> Summary:
        """Tell an incident so far."""
        ...


class Rule(Teller, Protocol):
    """One question asked of every picture of a camera."""

    links_bh: tuple[float, ...]  # link distances whose groups it wants to see; () for none

    def step(self, view: View) -> list[Finding]:
        """Say what is true in this picture; one finding per incident (key)."""
        ...

    def reset(self) -> None:
        """Forget what was seen (a new epoch)."""
        ...


def one_up(severity: Severity) -> Severity:
    """Give the next higher severity; high stays high."""
    return _STEPS[min(SEVERITY_ORDER[severity] + 1, len(_STEPS) - 1)]


class History:
    """The numbers of one incident over time: every numeric fact of its findings, at most MAX_POINTS points.

    A full history drops every other point and takes half as many from then on; least and most are kept
    exactly.
    """

    def __init__(self, t: float) -> None:
        self.started_t = t
        self.last_t = t
        self.last: Finding | None = None  # the latest hit, words and series included
        self._t = array("d")
        self._columns: dict[str, array[float]] = {}
        self._ends: dict[str, tuple[float, float]] = {}
        self._latest: dict[str, float] = {}
        self._every, self._n = 1, 0

    @property
    def dwell_s(self) -> float:
        """Seconds from the first hit to the last."""
        return self.last_t - self.started_t

    def add(self, t: float, facts: Mapping[str, Fact]) -> None:
        """Take the facts of one hit; every hit of an incident has the same numeric facts."""
        self._latest = {name: float(fact) for name, fact in facts.items() if not isinstance(fact, str)}
        self.last_t = t
        for name, v in self._latest.items():
            low, high = self._ends.get(name, (v, v))
            self._ends[name] = min(low, v), max(high, v)
        if self._n % self._every == 0:
            self._t.append(t)
            for name, v in self._latest.items():
                self._columns.setdefault(name, array("d")).append(v)
        self._n += 1
        if len(self._t) >= MAX_POINTS:
            self._every *= 2
            self._t = self._t[::2]
            self._columns = {name: column[::2] for name, column in self._columns.items()}

    def knows(self, name: str) -> bool:
        """Say whether the hits have this fact."""
        return name in self._ends

    def least(self, name: str) -> float:
        return self._ends[name][0]

    def most(self, name: str) -> float:
        return self._ends[name][1]

    def latest(self, name: str) -> float:
        return self._latest[name]

    def median(self, name: str) -> float:
        """Give the lower median: a value that was really seen."""
        ranked = sorted(self._columns[name])
        return ranked[(len(ranked) - 1) // 2]

    def series(self, name: str, unit: str, threshold: float | None) -> Series:
        return Series(name, unit, threshold, tuple(self._t), tuple(self._columns[name]))
