r"""From findings to alerts: the only place that holds, releases and repeats. For every rule alike, pure.

    (nothing) --hit--> forming --true for hold_s--> OPENED --severity changed--> UPDATED ...
                          |                            \______ no hit for close_s, or the end ______ CLOSED
                          +-- no hit for more than gap_s --> (nothing)

No gap over gap_s in hold_s means at least ceil(hold_s / gap_s) + 1 hits. Every alert is OPENED once, then
UPDATED any number of times, then CLOSED once. State: one record per incident that is forming or open, each
bounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from detector.rules.base import History, Teller
from detector.types import SEVERITY_ORDER, Alert, Fact, Finding, Phase, Series, Severity, Stamp

_JUST_S = 1e-6  # stream seconds are sums of frame intervals: 19.9999999 is 20
_DIGITS = 3  # of every number in an alert: a replay gives the same bytes, a person can read them


class _Band:
    """The severity in force: it follows a new one only once that has lasted, so no flicker is told."""

    def __init__(self, severity: Severity) -> None:
        self.now = self.peak = severity
        self._next = severity
        self._side = 0  # -1 below, 0 at, 1 above the severity in force
        self._since = 0.0

    def step(self, t: float, severity: Severity, up_s: float, down_s: float) -> bool:
        """Say whether the severity in force changed: above it for up_s or below it for down_s."""
        rank = SEVERITY_ORDER[severity] - SEVERITY_ORDER[self.now]
        side = (rank > 0) - (rank < 0)
        if side != self._side:
            self._side, self._since, self._next = side, t, severity
        nearest = min if side > 0 else max  # what held all the time, not the farthest moment
        self._next = nearest(self._next, severity, key=SEVERITY_ORDER.__getitem__)
        if side == 0 or t - self._since < (up_s if side > 0 else down_s) - _JUST_S:
            return False
        self.now, self._side = self._next, 0
        self.peak = max(self.peak, self.now, key=SEVERITY_ORDER.__getitem__)
        return True


@dataclass(slots=True)
class _Episode:
    """One incident, forming or open."""

    started: Stamp
    finding: Finding  # the latest
    history: History
    band: _Band
    alert_id: UUID | None = None  # None while forming
    revision: int = 0


class Episodes:
    """All incidents of one camera.

    `alert_id` is uuid5 of the run and of camera | rule | zone | key | number, with episodes numbered from 1
    in the order of their opening: in one run no two alerts share it, in a replay each has the same again.
    """

    def __init__(self, run_id: UUID, camera_id: str, rules: Sequence[Teller]) -> None:
        self._run_id, self._camera_id, self._rules = run_id, camera_id, tuple(rules)
        self._episodes: dict[tuple[int, str], _Episode] = {}  # by rule number and key
        self._n_opened = 0
        self._last: Stamp | None = None

    def step(self, stamp: Stamp, findings: Sequence[Sequence[Finding]]) -> list[Alert]:
        """Take one picture's findings, one sequence per rule in their order; give what is to be told."""
        self._last = stamp
        alerts = self._release(stamp)
        for number, (rule, found) in enumerate(zip(self._rules, findings, strict=True)):
            for finding in found:
                alerts += self._hit(stamp, rule, (number, finding.key), finding)
        return alerts

    def end(self, reason: str) -> list[Alert]:
        """Close what is open at the last picture, with `end_reason` = reason; forget what is forming."""
        last, episodes = self._last, self._episodes
        self._episodes = {}
        if last is None:
            return []
        return [
            self._alert(last, self._rules[number], episode, Phase.CLOSED, reason)
            for (number, _), episode in episodes.items()
            if episode.alert_id is not None
        ]

    def _release(self, stamp: Stamp) -> list[Alert]:
        """Drop what formed and broke, close what is over."""
        alerts = []
        for (number, key), episode in list(self._episodes.items()):
            rule = self._rules[number]
            idle_s = stamp.t - episode.history.last_t
            held = episode.alert_id is not None
            limit_s = rule.timing.close_s - _JUST_S if held else rule.timing.gap_s + _JUST_S
            over = idle_s >= limit_s if held else idle_s > limit_s
            if over:
                del self._episodes[number, key]
                if episode.alert_id is not None:
                    alerts.append(self._alert(stamp, rule, episode, Phase.CLOSED, rule.ended))
        return alerts

    def _hit(self, stamp: Stamp, rule: Teller, place: tuple[int, str], finding: Finding) -> list[Alert]:
        episode = self._episodes.get(place)
        if episode is None:
            episode = _Episode(stamp, finding, History(stamp.t), _Band(finding.severity))
            self._episodes[place] = episode
        episode.finding = finding
        episode.history.add(stamp.t, finding.facts)
        episode.history.last = finding
        timing = rule.timing
        open_already = episode.alert_id is not None
        severity = rule.severity(finding, episode.history.dwell_s)
        # Up at once it is sure, down only when it stays down: an escalation must not wait, a dip must not be
        # told.
        changed = episode.band.step(
            stamp.t, severity, timing.gap_s, timing.hold_s if open_already else timing.gap_s
        )
        if open_already:
            return [self._alert(stamp, rule, episode, Phase.UPDATED)] if changed else []
        if episode.history.dwell_s < timing.hold_s - _JUST_S:
            return []
        self._n_opened += 1
        name = f"{self._camera_id}|{finding.rule}|{finding.zone}|{finding.key}|{self._n_opened}"
        episode.alert_id = uuid5(self._run_id, name)
        episode.band.peak = episode.band.now
        return [self._alert(stamp, rule, episode, Phase.OPENED)]

    def _alert(self, stamp: Stamp, rule: Teller, episode: _Episode, phase: Phase, why: str = "") -> Alert:
        assert episode.alert_id is not None
        summary = rule.summary(episode.history, phase)
        facts: dict[str, Fact] = dict(summary.facts)
        if phase is Phase.CLOSED:
            facts["end_reason"] = why
        if phase is not Phase.OPENED:
            episode.revision += 1
        finding = episode.finding
        x0, y0, x1, y1 = finding.box  # may lie a little outside, where a track expects somebody to be
        return Alert(
            alert_id=episode.alert_id,
            phase=phase,
            revision=episode.revision,
            camera_id=self._camera_id,
            rule=rule.name,
            rule_version=rule.version,
            params=rule.params,
            zone=rule.zone,
            t=_tidy(stamp.t),
            at=stamp.at,
            started_t=_tidy(episode.started.t),
            started_at=episode.started.at,
            # A closed alert keeps the worst it was: people who leave one by one must not make it look
            # harmless.
            severity=episode.band.peak if phase is Phase.CLOSED else episode.band.now,
            score=_tidy(summary.score),
            track_ids=finding.track_ids,
            facts=_tidy_facts(facts),
            series=tuple(_tidy_series(series) for series in summary.series),
            reason=summary.reason,
            box=(
                _within(x0, stamp.width),
                _within(y0, stamp.height),
                _within(x1, stamp.width),
                _within(y1, stamp.height),
            ),
        )


def _tidy(value: float) -> float:
    return round(float(value), _DIGITS) + 0.0  # + 0.0 makes -0.0 a plain 0.0


def _within(value: float, limit: int) -> float:
    return _tidy(min(max(float(value), 0.0), float(limit)))


def _tidy_facts(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    return {name: _tidy(fact) if isinstance(fact, float) else fact for name, fact in facts.items()}


def _tidy_series(series: Series) -> Series:
    return Series(
        series.name,
        series.unit,
        series.threshold,
        tuple(map(_tidy, series.t)),
        tuple(map(_tidy, series.v)),
    )
