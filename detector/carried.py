"""Carried things and whose they are: bags, bottles, phones of one camera. Times are stream seconds, none are frames.

A thing is no track through occlusion: while it is not seen it is thought to be where it was, or to have moved
along with its owner, for `lost_s`. Whose it is, is a vote over time of how near it is to each person's axis, in
that person's heights, and whether it moves as they do: who walks past a bag on the floor does not carry it.

    no owner --vote >= own_vote--> owned --another leads by `lead` for transfer_s--> owned by the other
       ^                             |
       +---- owner away from it, or unseen for gone_s: no owner since they were last near

Who is not seen, and people while the thing is not seen, keep their votes: a short miss changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from detector.boxes import centres, heights, iou, widths
from detector.errors import check_range
from detector.types import F32, F64, Detections, Kind, Mask, Stamp, Things, Tracks

NOBODY = -1
MAX_THINGS = 100  # bounds the state under noise
_BAGS = (Kind.BACKPACK, Kind.HANDBAG, Kind.SUITCASE)  # taken for one another by networks
_FAMILY = np.array([Kind.BACKPACK if kind in _BAGS else kind for kind in Kind])
_KIND_S = 5.0  # time constant of the vote on what a thing is
_MARK_MIN_S, _MARK_MAX_S = 0.5, 1.6  # between two places of a thing that tell how it moves
_MAX_PX = 1e6
_LEAST_VOTE = 0.02  # less is forgotten
_BODY_SIZES = 3.0  # a body is so many times as tall as a bag, where no owner tells how tall it is
_LOW, _HIGH = 1.05, 0.0  # lower edge and middle of what is carried, in heights from the person's top
_MAX_SHARE = 0.7  # of a person's height: taller things are nobody's, but people taken for things


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedParams:
    """When a thing is somebody's. `bh`: heights of the person concerned."""

    begin_score: float = 0.3  # a thing not known yet; more: fewer false things, later
    min_score: float = 0.15  # of a known thing; less: held on to longer, more noise
    confirm_s: float = 0.4  # from the first sight to the one that tells of it; more: fewer false things
    lost_s: float = 3.0  # unseen for longer it is forgotten; more: longer misses bridged
    reach_bh: float = 0.75  # from a person's axis, where nothing is theirs any more; more: looser
    vote_s: float = 0.8  # time constant of nearness; more: surer, later
    own_vote: float = 0.3  # from which somebody becomes the owner; more: fewer passers-by, later
    keep_vote: float = 0.1  # under which the owner is not it any more
    lead: float = 0.15  # by which another must be nearer; more: fewer wrong transfers, later
    transfer_s: float = 0.6  # for so long
    gone_s: float = 2.0  # an owner unseen for so long has gone; more: longer occlusions bridged
    gate_bh: float = 0.25  # from where a thing is thought to be; more: joins across jumps
    gate_bh_s: float = 0.8  # its growth per second unseen
    apart_bh_s: float = 0.6  # relative speed at which nothing is carried; more: passers-by count as owners

    def __post_init__(self) -> None:
        for name in ("begin_score", "min_score", "own_vote", "keep_vote", "lead"):
            check_range(name, getattr(self, name), 0, 1)
        for name in ("confirm_s", "transfer_s"):
            check_range(name, getattr(self, name), 0, 60)
        for name in ("lost_s", "reach_bh", "vote_s", "gone_s", "gate_bh", "gate_bh_s", "apart_bh_s"):
            check_range(name, getattr(self, name), 0, 600, above=True)


@dataclass(slots=True)
class _Thing:
    """What is remembered of one thing."""

    id: int
    box: F64  # (4,) as last seen
    born_t: float
    seen_t: float
    kinds: F64  # (len(Kind),) sum of scores, fading
    moved: F64  # (4,) the same, if it has moved with its companion since
    companion: int = NOBODY  # its owner, or who was nearest when it was last seen
    anchor: F64 | None = None  # (2,) where the companion was then
    marks: list[tuple[float, F64]] = field(default_factory=list)  # when and where its middle was, spaced
    votes: dict[int, float] = field(default_factory=dict)  # by track id
    owner: int = NOBODY
    since_t: float = 0.0  # since when it is the owner's, or nobody's
    near_t: float = 0.0  # when the owner was last seen near it
    rival: int = NOBODY  # who leads the owner,
    rival_t: float = 0.0  # since when


class Carried:
    """The carried things of one camera. `step` once per picture, also when nothing is seen in it."""

    def __init__(self, params: CarriedParams = CarriedParams()) -> None:
        self._params = params
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forget all things (a new epoch); ids go on where they were."""
        self._things: list[_Thing] = []
        self._seen: dict[int, float] = {}  # track id -> when last seen; absent ones for gone_s
        self._t: float | None = None

    def step(self, stamp: Stamp, detections: Detections, people: Tracks) -> Things:
        """Take in one picture: what is not a person in `detections`, and the people tracked in it."""
        p, t = self._params, stamp.t
        dt = 0.0 if self._t is None else max(t - self._t, 0.0)
        self._t = t
        found = _usable(detections, p.min_score)
        self._things = [thing for thing in self._things if t - thing.seen_t <= p.lost_s]
        people = people[_possible(people.boxes) & _possible(people.velocity)]
        people = people[np.argsort(people.ids)]
        self._seen |= dict(zip(people.ids.tolist(), people.seen_t.tolist(), strict=True))
        self._seen = {key: seen_t for key, seen_t in self._seen.items() if t - seen_t <= p.gone_s}
        if self._things or len(found):
            people = people[people.seen_t >= t]
            places = dict(zip(people.ids.tolist(), centres(people.boxes).astype(np.float64), strict=True))
            tall = dict(zip(people.ids.tolist(), heights(people.boxes).tolist(), strict=True))
            self._move_along(places)
            self._match(t, dt, found, tall)
            self._vote(t, dt, people, places)
        return self._told()

    def _move_along(self, places: dict[int, F64]) -> None:
        """Say where things are if they have moved as their companions have since they were seen."""
        for thing in self._things:
            now = places.get(thing.companion)
            if now is not None and thing.anchor is not None:
                thing.moved = thing.box + (now - thing.anchor)[[0, 1, 0, 1]]

    def _match(self, t: float, dt: float, found: Detections, tall: dict[int, float]) -> None:
        """Give what was seen to the things it belongs to; the rest, if strong, are new things."""
        p = self._params
        taken = np.full(len(found), -1)
        if self._things and len(found):
            value = self._worth(t, found, tall)
            row, column = linear_sum_assignment(value, maximize=True)
            right = value[row, column] > 0.0
            taken[column[right]] = row[right]
        fade = float(np.exp(-dt / _KIND_S))
        for thing in self._things:
            thing.kinds = thing.kinds * fade
        for column, row in enumerate(taken.tolist()):
            box, kind = found.boxes[column].astype(np.float64), int(found.kinds[column])
            score = float(found.scores[column])
            if row >= 0:
                thing = self._things[row]
                thing.box = thing.moved = box
                thing.seen_t = t
                thing.kinds[kind] += score
            elif score >= p.begin_score and len(self._things) < MAX_THINGS:
                kinds = np.zeros(len(Kind))
                kinds[kind] = score
                self._things.append(_Thing(self._next_id, box, t, t, kinds, box, since_t=t))
                self._next_id += 1

    def _worth(self, t: float, found: Detections, tall: dict[int, float]) -> F64:
        """What each pair of thing and detection is worth (n, m), 0 where it may not be."""
        p, things = self._params, self._things
        boxes = np.array([thing.box for thing in things])
        moved = np.array([thing.moved for thing in things])
        size = _BODY_SIZES * np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        body = np.array(
            [tall.get(thing.companion, own) for thing, own in zip(things, size.tolist(), strict=True)]
        )
        unseen = t - np.array([thing.seen_t for thing in things])
        gate = np.maximum((p.gate_bh + p.gate_bh_s * unseen) * body, 1.0)[:, None]
        spots = centres(found.boxes)[None]
        away = np.minimum(
            *(np.linalg.norm(_middles(where)[:, None] - spots, axis=2) for where in (boxes, moved))
        )
        value: F64 = 1.0 - away / gate + 0.3 * iou(moved.astype(np.float32), found.boxes)
        kinds = np.array([int(thing.kinds.argmax()) for thing in things])
        value[(away >= gate) | (_FAMILY[kinds][:, None] != _FAMILY[found.kinds][None])] = 0.0
        return value

    def _vote(self, t: float, dt: float, people: Tracks, places: dict[int, F64]) -> None:
        """Judge whose each thing that is seen now is."""
        p = self._params
        seen = [thing for thing in self._things if thing.seen_t == t]
        near = nearness(np.array([thing.box for thing in seen]).reshape(-1, 4), people.boxes, p.reach_bh)
        keys: list[int] = people.ids.tolist()
        here = set(keys)
        speed, limit = people.velocity.astype(np.float64), p.apart_bh_s * heights(people.boxes)
        stays = float(np.exp(-dt / p.vote_s))
        for thing, row in zip(seen, near, strict=True):
            votes = {key: vote * stays if key in here else vote for key, vote in thing.votes.items()}
            close = np.flatnonzero(row)  # few: the others only lose
            evidence = row[close] * _agreement(thing, t, speed[close], limit[close])
            for column, value in zip(close.tolist(), evidence.tolist(), strict=True):
                votes[keys[column]] = votes.get(keys[column], 0.0) + (1.0 - stays) * value
                if keys[column] == thing.owner:
                    thing.near_t = t
            thing.votes = {key: vote for key, vote in votes.items() if vote >= _LEAST_VOTE}
        for thing in self._things:
            self._settle(thing, t)
        for thing, row in zip(seen, near, strict=True):
            thing.companion = thing.owner
            if thing.owner not in here:
                thing.companion = keys[int(row.argmax())] if row.max(initial=0.0) > 0.0 else NOBODY
            thing.anchor = places.get(thing.companion)

    def _settle(self, thing: _Thing, t: float) -> None:
        """Change the owner if the votes ask for it."""
        p = self._params
        thing.votes = {key: vote for key, vote in thing.votes.items() if key in self._seen}
        best = max(thing.votes, key=lambda key: (thing.votes[key], -key), default=NOBODY)
        top = thing.votes.get(best, 0.0)
        own = thing.votes.get(thing.owner, 0.0)
        if thing.owner != NOBODY and own < p.keep_vote:  # they went, or it was left
            _give(thing, NOBODY, thing.near_t)
        if thing.owner == NOBODY:
            if top >= p.own_vote:
                _give(thing, best, t)
        elif best != thing.owner and top >= own + p.lead and thing.seen_t == t:
            if thing.rival != best:
                thing.rival, thing.rival_t = best, t
            if t - thing.rival_t >= p.transfer_s:
                _give(thing, best, t)
        elif thing.seen_t == t:
            thing.rival = NOBODY

    def _told(self) -> Things:
        """The things that are sure, by id."""
        sure_s = self._params.confirm_s
        told = [thing for thing in self._things if thing.seen_t - thing.born_t >= sure_s]
        if not told:
            return Things.empty()
        return Things(
            np.array([thing.id for thing in told], np.int64),
            np.array([int(thing.kinds.argmax()) for thing in told], np.int64),
            np.array([thing.box if thing.owner == NOBODY else thing.moved for thing in told], np.float32),
            np.array([thing.owner for thing in told], np.int64),
            np.array([thing.since_t for thing in told], np.float64),
            np.array([thing.seen_t for thing in told], np.float64),
        )


def nearness(things: F64, people: F32, reach_bh: float) -> F64:
    """How near things (n, 4) are to people's axes (m, 4), in the people's heights: (n, m), 1 on it, 0 from reach.

    What hangs below the feet or above the head is farther: it is nearer to the camera, or behind.
    """
    body = people.astype(np.float64)
    tall = np.maximum(body[:, 3] - body[:, 1], 1.0)
    middle = _middles(things)
    aside = np.abs(middle[:, None, 0] - (body[:, 0] + body[:, 2]) / 2) / tall
    low = (things[:, None, 3] - body[:, 1]) / tall - _LOW
    high = _HIGH - (middle[:, None, 1] - body[:, 1]) / tall
    near = 1.0 - np.hypot(aside, np.maximum(np.maximum(low, high), 0.0)) / reach_bh
    near[(things[:, 3] - things[:, 1])[:, None] > _MAX_SHARE * tall] = 0.0
    return np.maximum(near, 0.0)


def _middles(boxes: F64) -> F64:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _agreement(thing: _Thing, t: float, speed: F64, limit: F32) -> F64:
    """How much a thing moves as people do (m,): 1 up to a third of `limit` (m,) px/s apart, 0 from there on.

    Over at least half a second, since boxes shake; before that nothing is known and nothing agrees.
    """
    middle = (thing.box[:2] + thing.box[2:]) / 2
    thing.marks = [mark for mark in thing.marks if t - mark[0] <= _MARK_MAX_S]
    before = next((mark for mark in reversed(thing.marks) if t - mark[0] >= _MARK_MIN_S), None)
    if not thing.marks or t - thing.marks[-1][0] >= _MARK_MIN_S / 2:
        thing.marks.append((t, middle))
    if before is None:
        return np.zeros(len(speed))
    own = (middle - before[1]) / (t - before[0])
    apart = np.hypot(speed[:, 0] - own[0], speed[:, 1] - own[1])
    share: F64 = 1.5 * (1.0 - apart / np.maximum(limit, 1e-3))
    return np.clip(share, 0.0, 1.0)


def _give(thing: _Thing, owner: int, since_t: float) -> None:
    thing.owner, thing.since_t, thing.rival = owner, since_t, NOBODY
    thing.near_t = since_t


def _possible(pixels: F32) -> Mask:
    """Say which rows (n, k) hold places or speeds that a picture can have."""
    possible: Mask = np.logical_and.reduce(np.abs(pixels) < _MAX_PX, axis=1)  # NaN is not
    return possible


def _usable(detections: Detections, min_score: float) -> Detections:
    """What can be used of the things seen, strongest first, in an order set by them alone."""
    found = detections[_possible(detections.boxes) & (detections.kinds != Kind.PERSON)]
    usable = (found.scores >= min_score) & (found.scores <= 1.0)
    usable &= (widths(found.boxes) > 0) & (heights(found.boxes) > 0)
    found = found[usable]
    order = np.lexsort((found.kinds, *found.boxes.T, -found.scores))
    return found[order[:MAX_THINGS]]
