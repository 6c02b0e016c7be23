"""What is in whose hands: sights of things near the wrists of a pair, and what they say of one touch of hands. Pure.

A sight is one picture's word; a carried thing (`detector/carried.py`) remembers whose it is while nobody sees
it. Lengths are arm lengths, so that they mean the same near and far.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from detector.handoff_baseline import Touch
from detector.pairs import Pair
from detector.skeletons import MIN_SEEN, WRISTS, arm_length
from detector.types import F32, Detections, Kind, Things

HELD_AL = 0.35  # from a wrist to a thing that the hand holds
LOOSE_AL = 0.8  # and from every wrist to one that lies somewhere
CLEARER_AL = 0.15  # by how much nearer to one's hand than to the other's
BEFORE_S = 2.0  # before hands met: who held what
SIGHTS = 2  # of a thing in a hand that make it held
LOOSE = -1


@dataclass(frozen=True, slots=True)
class Held:
    """One sight of a thing near a pair."""

    t: float
    kind: int
    whose: int  # 0, 1: of the pair, in the hand; LOOSE: in nobody's
    thing: int | None = None  # id of a carried thing that is somebody's; None: seen in a hand, or loose


@dataclass(frozen=True, slots=True)
class Evidence:
    """What happened to a thing."""

    grade: str  # "A", "B", "C"
    thing: str = ""  # "" if none was seen
    giver: int | None = None  # 0, 1: of the pair; None: not known
    kind: int | None = None


def points_of(skeletons: F32) -> F32:
    """Points (n, 2, 17, 2) of skeletons (n, 2, 17, 3), NaN where not seen."""
    return np.where(skeletons[..., 2:] >= MIN_SEEN, skeletons[..., :2], np.float32(np.nan))


def seen_in_hands(t: float, skeletons: F32, boxes: F32, found: Detections) -> Iterator[Held]:
    """Things (of enough score) in the hands of a pair (2, 17, 3), or loose within their boxes (2, 4)."""
    places = points_of(skeletons[None])[0]
    unit = arm_length(places)
    wrists = places[:, WRISTS]  # (2, 2, 2)
    if unit <= 0 or not np.isfinite(wrists).any():
        return
    low, high = boxes.min(axis=0), boxes.max(axis=0)
    for box, kind in zip(found.boxes, found.kinds, strict=True):
        middle_x, middle_y = (box[:2] + box[2:]) / 2
        if not (low[0] <= middle_x <= high[2] and low[1] <= middle_y <= high[3]):
            continue
        beyond = np.maximum(np.maximum(box[:2] - wrists, wrists - box[2:]), 0)
        away = np.nan_to_num(np.linalg.norm(beyond, axis=-1) / unit, nan=np.inf).min(axis=1)
        nearest = int(away.argmin())
        if away[nearest] <= HELD_AL and away[1 - nearest] - away[nearest] >= CLEARER_AL:
            yield Held(t, int(kind), nearest)
        elif away[nearest] >= LOOSE_AL:
            yield Held(t, int(kind), LOOSE)


def carried_by(t: float, pair: Pair, things: Things) -> Iterator[Held]:
    """The carried things that are one of the pair's."""
    for thing, kind, owner in zip(
        things.ids.tolist(), things.kinds.tolist(), things.owners.tolist(), strict=True
    ):
        if owner in pair.track_ids:
            yield Held(t, kind, pair.track_ids.index(owner), thing)


def weigh(held: Sequence[Held], touch: Touch) -> Evidence:
    """Give the best that the sights of things say of one touch."""
    best = Evidence("C")
    for kind in dict.fromkeys(one.kind for one in held):
        told = _of_kind([one for one in held if one.kind == kind], touch)
        if told is not None and (told.grade < best.grade or (told.grade == "C" and not best.thing)):
            best = told
    return best


def _of_kind(held: Sequence[Held], touch: Touch) -> Evidence | None:
    """The word of the sights of one kind of thing; None: they say nothing."""
    name, kind = Kind(held[0].kind).name.lower(), held[0].kind
    sights = [one for one in held if one.thing is None]
    if sum(one.whose == LOOSE and touch.began_t <= one.t <= touch.ended_t for one in sights) >= SIGHTS:
        return Evidence("C", name, None, kind)  # it lay on something in between
    before = [one.whose for one in sights if touch.began_t - BEFORE_S <= one.t <= touch.nearest_t]
    after = [one.whose for one in sights if one.t > touch.nearest_t]
    had = [before.count(person) >= SIGHTS for person in (0, 1)]
    has = [after.count(person) >= SIGHTS for person in (0, 1)]
    changed = _changed_owner([one for one in held if one.thing is not None], touch)
    for giver in (0, 1):
        taker = 1 - giver
        if had[giver] and has[taker] and not had[taker] and not has[giver]:
            return Evidence("A", name, giver, kind)
        if changed == giver and not had[taker] and not has[giver]:
            return Evidence("A", name, giver, kind)
    for giver in (0, 1):
        taker = 1 - giver
        gone = had[giver] and not any(has) and not had[taker]
        come = has[taker] and not any(had) and not has[giver]
        if gone or come:
            return Evidence("B", name, giver, kind)
    return None


def _changed_owner(owned: Sequence[Held], touch: Touch) -> int | None:
    """Whose a thing was before hands met, if it is the other's since; None: none has changed."""
    for thing in dict.fromkeys(one.thing for one in owned):
        whose = [(one.t, one.whose) for one in owned if one.thing == thing]
        before = [person for t, person in whose if t <= touch.began_t]
        after = [person for t, person in whose if t > touch.nearest_t]
        if before and after and before[-1] != after[-1]:
            return before[-1]
    return None
