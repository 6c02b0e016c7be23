"""Any rule, told only at the times and with the severity that a person chose. It holds no rule of its own.

The rule within sees every picture, so that it knows who is where when its time begins; what it finds out of
its time is dropped, so holding begins anew then, and what is open closes `close_s` after its time is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo

from detector.rules.base import History, Rule, Summary, View, one_up
from detector.schedule import Schedule
from detector.types import Fact, Finding, Phase, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What can be chosen for every rule."""

    active: Schedule | None = None  # when it is in force; None: always
    raised: Schedule | None = None  # when it is one severity step more urgent; None: never
    severity: Severity | None = None  # in place of the rule's own, before `raised`
    shadow: bool = False  # judged beside the others, told to nobody who watches

    @property
    def timed(self) -> bool:
        """Whether they depend on the clock."""
        return self.active is not None or self.raised is not None

    def told(self) -> dict[str, Fact]:
        """The terms that are set, as written in every alert."""
        chosen = {"active": self.active, "raised": self.raised, "severity": self.severity}
        told: dict[str, Fact] = {name: str(term) for name, term in chosen.items() if term is not None}
        return told | {"shadow": True} if self.shadow else told


class Scheduled:
    """A rule under terms."""

    def __init__(self, rule: Rule, terms: Terms, zone: tzinfo) -> None:
        """`zone`: the camera's time zone."""
        self.within, self._terms, self._tz = rule, terms, zone
        self.name, self.version, self.zone = rule.name, rule.version, rule.zone
        self.timing, self.links_bh, self.ended = rule.timing, rule.links_bh, rule.ended
        self.params: Mapping[str, Fact] = {**rule.params, **terms.told()}
        self._raised = False

    def reset(self) -> None:
        """Forget what the rule saw."""
        self.within.reset()

    def step(self, view: View) -> list[Finding]:
        """Give what the rule finds, if it is in force now."""
        at, terms = view.obs.stamp.at, self._terms
        findings = self.within.step(view)
        active = terms.active is None or terms.active.holds(at, self._tz)
        self._raised = terms.raised is not None and terms.raised.holds(at, self._tz)
        self.ended = self.within.ended if active else "rule not in force at this time"
        return findings if active else []

    def severity(self, finding: Finding, dwell_s: float) -> Severity:
        """Give the chosen severity or the rule's, one step higher at raised times."""
        severity = self._terms.severity or self.within.severity(finding, dwell_s)
        return one_up(severity) if self._raised else severity

    def summary(self, history: History, phase: Phase) -> Summary:
        """Tell what the rule tells."""
        return self.within.summary(history, phase)
