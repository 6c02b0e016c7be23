"""The figures of gatherings: the rule against the labels, beside a head count in the same run.

Settings were tuned on the earlier days of a set (its first dates that hold half of the clips); what is reported
under the plain names comes from the later days, what comes from the earlier ones has `tuning` in its name. An
alert is right when it overlaps the gathering by the ActEV criterion and at least three people are the same.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.events import (
    Call,
    Criterion,
    Event,
    Matching,
    bootstrap,
    delays_s,
    det_curve,
    match,
    naudc,
    onset_errors_s,
    pmiss_at,
    repeats,
)
from benchmarks.gatherings import Clip, GatheringSet, HeadCount, judge, read_clips, read_walk
from benchmarks.report import Figure
from detector.rules.gathering import Gathering, GatheringParams
from detector.types import F64

CRITERION = Criterion(min_iou=0.2, min_shared=3)
SOON_S = 3.0  # after the hold time: soon enough
RATES = (1.0, 0.1, 0.02)  # false alerts a minute at which misses are told
AREA_TO = 0.2  # false alerts a minute up to which the area is told
OURS, THEIRS = "gathering", "head_count"


@dataclass(frozen=True, slots=True)
class Tally:
    """One clip as one way of calling saw it."""

    matching: Matching
    hours: float
    n_fragments: int
    n_duplicates: int


@dataclass(frozen=True, slots=True)
class Study:
    """What was measured on one part of a set, kept for curves and pictures."""

    source: GatheringSet
    part: str  # "held out" or "tuning"
    dates: Sequence[str]
    clips: Sequence[Clip]
    tallies: Mapping[str, Sequence[Tally]]  # by way of calling, one per clip

    def matching(self, way: str) -> Matching:
        """Give all clips of a way as one matching."""
        events: list[Event] = [event for tally in self.tallies[way] for event in tally.matching.events]
        calls: list[Call] = [call for tally in self.tallies[way] for call in tally.matching.calls]
        return match(events, calls, CRITERION)

    @property
    def minutes(self) -> float:
        """How much was watched."""
        return sum(clip.length_s for clip in self.clips) / 60


def tuning_dates(clips: Sequence[Clip]) -> set[str]:
    """Give the first dates that together hold at least half of the clips; the last date is never one."""
    dates: set[str] = set()
    for date in sorted({clip.date for clip in clips})[:-1]:
        if 2 * sum(clip.date in dates for clip in clips) >= len(clips):
            break
        dates.add(date)
    return dates


def study(source: GatheringSet, seen: Callable[[int, int], None]) -> list[Study]:
    """Let both ways judge every clip of a set: the held-out part, then the tuning part. Raises ConfigError."""
    params = GatheringParams()
    clips = read_clips(source.folder, params)
    early = tuning_dates(clips)
    tallies: dict[str, dict[str, Tally]] = {OURS: {}, THEIRS: {}}
    for number, clip in enumerate(clips):
        walk = read_walk(source.folder, clip)
        for way, calls in judge(clip, walk, [Gathering(params), HeadCount(params)]).items():
            tallies[way][clip.name] = tally(clip, calls)
        seen(number + 1, len(clips))
    parts = []
    for name, dates in (("held out", {clip.date for clip in clips} - early), ("tuning", early)):
        chosen = [clip for clip in clips if clip.date in dates]
        found = {way: [by_clip[clip.name] for clip in chosen] for way, by_clip in tallies.items()}
        if chosen:
            parts.append(Study(source, name, sorted(dates), chosen, found))
    return parts


def tally(clip: Clip, calls: Sequence[Call]) -> Tally:
    """Match the calls of one clip and count what is there more than once."""
    repeated = [repeats(event, calls, CRITERION) for event in clip.events if event.counts]
    return Tally(
        match(clip.events, calls, CRITERION),
        clip.length_s / 3600,
        sum(one.fragments for one in repeated),
        sum(one.duplicates for one in repeated),
    )


def figures(found: Study) -> list[Figure]:
    """Give the figures of one part, with intervals over clips and the head count beside."""
    begin = f"gathering.{found.source.name}." + ("tuning." if found.part == "tuning" else "")
    split = f"{found.part}: {len(found.clips)} clips of {', '.join(found.dates)}"
    ours, theirs = found.tallies[OURS], found.tallies[THEIRS]
    n_events = sum(event.counts for clip in found.clips for event in clip.events)
    told = []
    for name, (unit, value) in MEASURES.items():
        other = value(theirs)
        told.append(
            Figure(
                name=begin + name,
                value=value(ours),
                unit=unit,
                data=found.source.data,
                split=split,
                n=n_events,
                ci95=bootstrap(ours, value),
                peers={} if other is None else {THEIRS: other},
            )
        )
    curves = {way: det_curve(found.matching(way), found.minutes) for way in (OURS, THEIRS)}
    for name, of in _CURVE_MEASURES.items():
        told.append(
            Figure(
                name=begin + name,
                value=of(curves[OURS]),
                unit="1",
                data=found.source.data,
                split=split,
                n=n_events,
                peers={THEIRS: of(curves[THEIRS])},
            )
        )
    return told


def _ratio(top: float, bottom: float) -> float | None:
    return top / bottom if bottom else None


def _n_true(tallies: Sequence[Tally]) -> int:
    return sum(len(one.matching.pairs) + len(one.matching.missed) for one in tallies)


def _n_right(tallies: Sequence[Tally]) -> int:
    return sum(len(one.matching.pairs) for one in tallies)


def _n_false(tallies: Sequence[Tally]) -> int:
    return sum(len(one.matching.false) for one in tallies)


def _recall(tallies: Sequence[Tally]) -> float | None:
    return _ratio(_n_right(tallies), _n_true(tallies))


def _precision(tallies: Sequence[Tally]) -> float | None:
    return _ratio(_n_right(tallies), _n_right(tallies) + _n_false(tallies))


def _f1(tallies: Sequence[Tally]) -> float | None:
    return _ratio(2 * _n_right(tallies), _n_right(tallies) + _n_false(tallies) + _n_true(tallies))


def _delay_p50_s(tallies: Sequence[Tally]) -> float | None:
    delays = [delay for one in tallies for delay in delays_s(one.matching)]
    return statistics.median(delays) if delays else None


def _in_time(tallies: Sequence[Tally]) -> float | None:
    limit = GatheringParams().hold_s + SOON_S
    soon = sum(delay <= limit for one in tallies for delay in delays_s(one.matching))
    return _ratio(soon, _n_true(tallies))


def _onset_error_p50_s(tallies: Sequence[Tally]) -> float | None:
    errors = [abs(error) for one in tallies for error in onset_errors_s(one.matching)]
    return statistics.median(errors) if errors else None


def _fragments(tallies: Sequence[Tally]) -> float | None:
    return _ratio(sum(one.n_fragments for one in tallies), _n_true(tallies))


def _duplicates(tallies: Sequence[Tally]) -> float | None:
    return _ratio(sum(one.n_duplicates for one in tallies), _n_true(tallies))


def _alerts(tallies: Sequence[Tally]) -> float | None:
    return _ratio(sum(len(one.matching.calls) for one in tallies), sum(one.hours for one in tallies))


def _false(tallies: Sequence[Tally]) -> float | None:
    return _ratio(_n_false(tallies), sum(one.hours for one in tallies))


MEASURES: dict[str, tuple[str, Callable[[Sequence[Tally]], float | None]]] = {
    "recall": ("1", _recall),
    "precision": ("1", _precision),
    "f1": ("1", _f1),
    "delay_p50_s": ("s", _delay_p50_s),
    "told_within_hold_and_3_s": ("1", _in_time),
    "onset_error_p50_s": ("s", _onset_error_p50_s),
    "fragments": ("per event", _fragments),
    "duplicates": ("per event", _duplicates),
    "alerts_per_camera_hour": ("per hour", _alerts),
    "false_per_camera_hour": ("per hour", _false),
}
_CURVE_MEASURES: dict[str, Callable[[F64], float]] = {
    **{f"pmiss_at_{rate:g}_false_a_minute": partial(pmiss_at, rfa=rate) for rate in RATES},
    "naudc": partial(naudc, limit=AREA_TO),
}
