"""What the plain rules share: how a rule is set up, who is in a zone, how fast people go, and how one is told.

A plain rule asks one simple question of a picture; holding, gaps and repeats are left to `episodes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from detector.calibration import BODY_M
from detector.rules.base import History, Summary, Timing
from detector.types import F32, F64, I64, Fact, Finding, Mask, Observation, Severity
from detector.zones import Zone

Rect = tuple[float, float, float, float]


class PlainRule:
    """A rule that wants no groups and grades every finding alike."""

    name: str
    version = 1
    ended = "over"
    links_bh: tuple[float, ...] = ()

    def __init__(self, timing: Timing, params: Mapping[str, Fact], zone: str) -> None:
        """`zone`: the name of its zone or line, "" for the whole picture."""
        self.timing, self.params, self.zone = timing, params, zone

    def severity(self, finding: Finding, dwell_s: float) -> Severity:
        """Give the finding's own severity, however long it lasts."""
        del dwell_s
        return finding.severity

    def place(self) -> str:
        """The place in a sentence."""
        return f"in {self.zone!r}" if self.zone else "in view"


def name_of(zone: Zone | None) -> str:
    """Give the name that alerts tell; "" for the whole picture."""
    return "" if zone is None else zone.name


def inside(zone: Zone | None, obs: Observation) -> Mask:
    """Say whose feet are in the zone: (n,)."""
    if zone is None:
        return np.ones(len(obs.tracks), np.bool_)
    return zone.contains(obs.feet, obs.stamp.width, obs.stamp.height)


def seen_now(obs: Observation) -> Mask:
    """Say who was really seen in this picture, not only expected there: (n,)."""
    seen: Mask = obs.tracks.seen_t >= obs.stamp.t
    return seen


def ground_speed(obs: Observation) -> F64:
    """Give the velocities over the ground, body heights a second along the picture's axes: (n, 2)."""
    speed = obs.tracks.velocity.astype(np.float64) / obs.body_px.astype(np.float64)[:, None]
    speed[:, 1] *= obs.depth_gain
    return speed


def paces(obs: Observation) -> F64:
    """Give how fast people go over the ground, body heights a second: (n,). Exact on a calibrated camera."""
    speed = ground_speed(obs) if obs.ground is None else obs.ground.velocity_m_s / BODY_M
    pace: F64 = np.hypot(*speed.T)
    return pace


def around(boxes: F32) -> Rect:
    """Give the box around boxes (n >= 1, 4)."""
    low, high = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
    return low[0], low[1], high[0], high[1]


def finding_of(
    rule: PlainRule, obs: Observation, key: str, rows: I64, told: tuple[Severity, Mapping[str, Fact]]
) -> Finding:
    """A finding about people; `told`: its severity and its facts, to which how surely they are seen is added."""
    severity, facts = told
    score = float(obs.tracks.scores[rows].mean())
    return Finding(
        rule=rule.name,
        key=key,
        zone=rule.zone,
        track_ids=tuple(obs.tracks.ids[rows].tolist()),
        score=score,
        severity=severity,
        facts={**facts, "seen_score": score},
        box=around(obs.tracks.boxes[rows]),
    )


def summary_of(
    history: History, facts: Mapping[str, Fact], limits: Mapping[str, tuple[str, float | None]], reason: str
) -> Summary:
    """A summary; `limits`: for each fact that is plotted its unit and threshold."""
    score = history.median("seen_score")
    return Summary(
        facts={**facts, "dwell_s": history.dwell_s, "seen_score": score},
        series=tuple(history.series(name, *limit) for name, limit in limits.items()),
        score=score,
        reason=reason,
    )
