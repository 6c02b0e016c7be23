"""Blind: a camera that is offline, dark, covered, blurred, moved or frozen, or whose pictures are not judged.

Silence must never be taken for safety. Unlike the rules of a scene this one outlives the stream: it is asked
once a second whether there are pictures or not, and its time runs on while there are none. Pure: pixels are
measured elsewhere (streams/sight.py), here are their numbers.

    severity   high: offline, covered, frozen, unjudged    medium: dark, blurred, moved
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from uuid import UUID

from detector.episodes import Episodes
from detector.errors import check_range
from detector.rules.base import History, Summary, Timing
from detector.types import Alert, Fact, Finding, Phase, Severity, Stamp


class Kind(StrEnum):
    """In which way a camera is blind. Of those that its picture shows, the first that is true is told."""

    OFFLINE = "offline"
    UNJUDGED = "unjudged"
    DARK = "dark"
    COVERED = "covered"
    BLURRED = "blurred"
    MOVED = "moved"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindParams:
    """When a camera counts as blind. Raises ConfigError naming the field."""

    enabled: bool = True
    hold_s: float = 10.0  # s it must be true before an alert; more: fewer alerts, later
    gap_s: float = (
        3.0  # s it may be untrue without starting anew; at least 2, since it is asked once a second
    )
    close_s: float = 10.0  # s after the last hit until the alert closes
    dark_luma: float = 24.0  # mean brightness 0-255 below which a picture without contrast is dark
    flat_contrast: float = 24.0  # brightness between its 5th and 95th percentile below which it has none
    blur_share: float = (
        0.4  # of the usual detail; less is left: blurred, or covered when the view is lost too
    )
    min_likeness: float = (
        0.25  # correlation of its edges with the usual view (0-1) below which the view is lost
    )
    max_shift_share: float = 0.03  # of the picture's width or height by which the view may be displaced
    frozen_s: float = 60.0  # s without any change; a still scene in good light still has noise

    def __post_init__(self) -> None:
        Timing(hold_s=self.hold_s, gap_s=self.gap_s, close_s=self.close_s)
        check_range("gap_s", self.gap_s, 2.0, 86_400.0)
        check_range("dark_luma", self.dark_luma, 0.0, 255.0)
        check_range("flat_contrast", self.flat_contrast, 0.0, 255.0)
        check_range("blur_share", self.blur_share, 0.0, 1.0)
        check_range("min_likeness", self.min_likeness, 0.0, 1.0)
        check_range("max_shift_share", self.max_shift_share, 0.0, 0.5)
        check_range("frozen_s", self.frozen_s, 1.0, 86_400.0)


@dataclass(frozen=True, slots=True)
class Sight:
    """What one picture says of the view. The last three are None until the usual view has been learned."""

    luma: float  # mean brightness, 0-255
    contrast: float  # between the 5th and the 95th percentile of brightness, 0-255
    still_s: float  # s since anything in the picture last changed
    detail_share: float | None  # fine detail as a share of what is usual here
    likeness: float | None  # correlation of its edges with the usual view, where they fit best, 0-1
    shift_share: float | None  # how far it is displaced from the usual view, share of width or height


@dataclass(frozen=True, slots=True)
class Link:
    """What is known of a camera without a picture."""

    offline_s: float = 0.0  # s since its stream was lost; 0: there is one, or none is expected
    unjudged_s: float = 0.0  # s since a picture of it was last judged although they come


class _Teller:
    """One way of being blind, as its episodes need it."""

    name = "blind"
    version = 1
    zone = ""
    ended = "view as usual"

    def __init__(self, kind: Kind, params: BlindParams) -> None:
        self.timing = Timing(hold_s=params.hold_s, gap_s=params.gap_s, close_s=params.close_s)
        self.params: Mapping[str, Fact] = asdict(params)
        self._kind = kind
        self._limits: Mapping[Kind, tuple[str, str, float, str]] = {
            Kind.OFFLINE: ("offline_s", "s", params.hold_s, "No picture has come"),
            Kind.UNJUDGED: ("unjudged_s", "s", params.hold_s, "Pictures come and none of them is judged"),
            Kind.DARK: ("luma", "of 255", params.dark_luma, "The picture is dark"),
            Kind.COVERED: ("likeness", "1", params.min_likeness, "The view is covered"),
            Kind.BLURRED: ("detail_share", "1", params.blur_share, "The picture is blurred"),
            Kind.MOVED: ("shift_share", "1", params.max_shift_share, "The camera looks elsewhere"),
            Kind.FROZEN: ("still_s", "s", params.frozen_s, "The picture stands still"),
        }

    def severity(self, finding: Finding, dwell_s: float) -> Severity:
        """The finding's own."""
        del dwell_s
        return finding.severity

    def summary(self, history: History, phase: Phase) -> Summary:
        """Tell it so far."""
        fact, unit, limit, words = self._limits[self._kind]
        value = history.latest(fact)
        facts: dict[str, Fact] = {"kind": self._kind.value, "dwell_s": history.dwell_s, fact: value}
        span = f"for {history.dwell_s:.0f} s"
        if unit == "s":
            reason = f"{words} for {value:.0f} s"
        elif phase is Phase.CLOSED:
            reason = f"{words} {span} ({fact.replace('_', ' ')} down to {history.least(fact):.2g}, limit {limit:g})"
            if self._kind is Kind.MOVED:
                reason = f"{words} {span} (displaced by up to {history.most(fact):.0%} of the picture)"
        elif self._kind is Kind.MOVED:
            reason = f"{words} {span} (displaced by {value:.0%} of the picture, limit {limit:.0%})"
        else:
            reason = f"{words} {span} ({fact.replace('_', ' ')} {value:.2g}, limit {limit:g})"
        return Summary(facts=facts, series=(history.series(fact, unit, limit),), score=1.0, reason=reason)


class Sentinel:
    """One camera's blindness over its whole life; owned by one thread.

    Stamps run on while no picture comes: their `t` is the stream's as far as there is one, else what has
    passed since.
    """

    def __init__(self, run_id: UUID, camera_id: str, params: BlindParams) -> None:
        self.found: Kind | None = None  # what was true at the last step
        self._p = params
        self._kinds = tuple(Kind)
        self._episodes = Episodes(run_id, camera_id, [_Teller(kind, params) for kind in self._kinds])

    def step(self, stamp: Stamp, link: Link, sight: Sight | None) -> list[Alert]:
        """Judge one second. `sight`: of the newest picture, None when there is no new one."""
        if not self._p.enabled:
            return []
        found = self._of_link(link) or (self._of_picture(sight) if sight is not None else {})
        self.found = next(iter(found), None)
        return self._episodes.step(
            stamp, [[_finding(kind, stamp, found[kind])] if kind in found else [] for kind in self._kinds]
        )

    def end(self, reason: str) -> list[Alert]:
        """Close what is open: nobody watches any more."""
        return self._episodes.end(reason)

    def _of_link(self, link: Link) -> dict[Kind, Mapping[str, float]]:
        if link.offline_s > 0.0:
            return {Kind.OFFLINE: {"offline_s": link.offline_s}}
        if link.unjudged_s > self._p.hold_s:
            return {Kind.UNJUDGED: {"unjudged_s": link.unjudged_s}}
        return {}

    def _of_picture(self, sight: Sight) -> dict[Kind, Mapping[str, float]]:
        p = self._p
        if sight.luma < p.dark_luma and sight.contrast < p.flat_contrast:
            return {Kind.DARK: {"luma": sight.luma}}
        if sight.detail_share is not None and sight.likeness is not None and sight.shift_share is not None:
            lost = sight.likeness < p.min_likeness
            if sight.detail_share < p.blur_share:
                if lost:
                    return {Kind.COVERED: {"likeness": sight.likeness}}
                return {Kind.BLURRED: {"detail_share": sight.detail_share}}
            if lost or sight.shift_share > p.max_shift_share:
                return {Kind.MOVED: {"shift_share": 1.0 if lost else sight.shift_share}}
        if sight.still_s >= p.frozen_s:
            return {Kind.FROZEN: {"still_s": sight.still_s}}
        return {}


_SEVERITY = dict.fromkeys(Kind, Severity.HIGH) | dict.fromkeys(
    (Kind.DARK, Kind.BLURRED, Kind.MOVED), Severity.MEDIUM
)


def _finding(kind: Kind, stamp: Stamp, facts: Mapping[str, float]) -> Finding:
    return Finding(
        rule="blind",
        key=kind.value,
        zone="",
        track_ids=(),
        score=1.0,
        severity=_SEVERITY[kind],
        facts=facts,
        box=(0.0, 0.0, float(stamp.width), float(stamp.height)),
    )
