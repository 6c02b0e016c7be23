"""The gatherings that were missed and the alerts that were false, each as a small picture of who stood where.

A picture shows the foot points of all people during the time concerned, as the camera sees them, drawn to the
frame that holds them. It is an SVG of numbers: no pixel of a recording is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.events import Call, Event, temporal_iou
from benchmarks.gathering_figures import CRITERION, OURS, Study
from benchmarks.gatherings import Clip, Walk, read_walk

_W, _H, _EDGE = 320, 200, 16
_PEOPLE = ("#1565c0", "#0288d1", "#283593", "#00838f", "#5e35b1", "#0d47a1")
_MIN_SPAN_BH = 4.0  # a frame is at least so many body heights wide


@dataclass(frozen=True, slots=True)
class Mistake:
    """One that needs a look."""

    title: str
    why: str
    members: frozenset[int]
    ways: dict[int, list[tuple[float, float]]]  # person -> foot points, px, in order
    body_px: float  # mean height of the people concerned


def mistakes(study: Study, kind: str) -> Iterator[Mistake]:
    """Give the "missed" or the "false" of a study, in the order of its clips."""
    for clip, tally in zip(study.clips, study.tallies[OURS], strict=True):
        found = tally.matching
        wrong: list[Event | Call] = (
            [found.events[i] for i in found.missed]
            if kind == "missed"
            else [found.calls[j] for j in found.false]
        )
        if wrong:
            walk = read_walk(study.source.folder, clip)
            for one in wrong:
                yield _mistake(clip, walk, one, list(found.calls), list(found.events))


def draw(mistake: Mistake) -> str:
    """Give the picture as SVG."""
    points = [point for person in mistake.members for point in mistake.ways.get(person, [])]
    points = points or [point for way in mistake.ways.values() for point in way] or [(0.0, 0.0)]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    middle_x, middle_y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    least = _MIN_SPAN_BH * mistake.body_px
    scale = min(
        (_W - 2 * _EDGE) / max(max(xs) - min(xs), least),
        (_H - 3 * _EDGE) / max(max(ys) - min(ys), least * _H / _W),
    )
    drawn = []
    for person, way in sorted(mistake.ways.items(), key=lambda item: item[0] in mistake.members):
        concerned = person in mistake.members
        colour = _PEOPLE[person % len(_PEOPLE)] if concerned else "#b3bac5"
        places = [
            (_W / 2 + scale * (x - middle_x), (_H - _EDGE) / 2 + scale * (y - middle_y)) for x, y in way
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        drawn.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-opacity=".6" stroke-width="1.2"/>'
        )
        x, y = places[-1]
        drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{4 if concerned else 3}" fill="{colour}"/>')
    bar = scale * mistake.body_px
    drawn.append(f'<path d="M{_EDGE} {_H - 10}h{bar:.1f}" stroke="#1c2330" stroke-width="2"/>')
    drawn.append(f'<text x="{_EDGE + bar + 6:.1f}" y="{_H - 6}">1 body height</text>')
    return f'<svg role="img" aria-label="people from above" width="{_W}" height="{_H}">{"".join(drawn)}</svg>'


def _mistake(clip: Clip, walk: Walk, one: Event | Call, calls: list[Call], events: list[Event]) -> Mistake:
    ways: dict[int, list[tuple[float, float]]] = {}
    tall: list[float] = []
    most = 0
    for stamp, tracks in zip(walk.stamps, walk.tracks, strict=True):
        if one.start_s <= stamp.t <= one.end_s:
            most = max(most, sum(person in one.members for person in tracks.ids.tolist()))
            for person, box in zip(tracks.ids.tolist(), tracks.boxes.tolist(), strict=True):
                ways.setdefault(person, []).append(((box[0] + box[2]) / 2, box[3]))
                if person in one.members:
                    tall.append(box[3] - box[1])
    why = _missed_why(one, calls) if isinstance(one, Event) else _false_why(one, events, clip)
    return Mistake(
        title=f"{clip.name}, {one.start_s:.0f}–{one.end_s:.0f} s",
        why=f"{most} of {len(one.members)} people at once, {one.end_s - one.start_s:.0f} s; {why}",
        members=one.members,
        ways=ways,
        body_px=sum(tall) / len(tall) if tall else 100.0,
    )


def _missed_why(event: Event, calls: list[Call]) -> str:
    near = [call for call in calls if CRITERION.concerns(event, call)]
    if not near:
        return "nothing was told of these people at that time"
    best = max(near, key=lambda call: temporal_iou(event, call))
    return f"told for {best.start_s:.0f}–{best.end_s:.0f} s, overlap {temporal_iou(event, best):.2f}"


def _false_why(call: Call, events: list[Event], clip: Clip) -> str:
    near = [event for event in events if CRITERION.concerns(event, call)]
    if near:
        best = max(near, key=lambda event: temporal_iou(event, call))
        return f"overlap {temporal_iou(best, call):.2f} with a gathering of {best.start_s:.0f}–{best.end_s:.0f} s"
    return f"no such gathering is labelled (clip chosen as {clip.kind})"
