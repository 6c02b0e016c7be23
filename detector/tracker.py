"""Follows people and things through the pictures of one camera. Times are stream seconds, none are frames.

Two passes as in ByteTrack: strong detections may go to any track, weak ones only to those seen lately. Whom
it does not see it keeps in mind: who walked for `lost_s`, predicted ahead; who stood still for `still_s`, in
that place; who was at the picture's edge on the way out for `edge_s`. It knows no appearance, only place,
size and motion.

             2nd hit                unseen > coast_s            unseen > lost_s | still_s | edge_s
    tentative ------> returned, seen ------> kept, not returned ------> forgotten; its id is never used again

Source: Zhang et al., ByteTrack (ECCV 2022), section 3; gates in body heights and seconds are our own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from detector.assignment import PairParams, assign, worth
from detector.motion import Motion, MotionParams, as_f32
from detector.types import F64, I64, Detections, Kind, Mask, Stamp, Tracks

N_KINDS = len(Kind)
MAX_TRACKS = 1000  # bounds the state under noise: no more are begun until some are forgotten
MAX_DETECTIONS = 1000  # the strongest stay
MAX_STEP_S = 1.0  # a step longer than this does not lengthen memories
OUTWARD_BH_S = -0.1  # who moves inward slower than this at the edge counts as leaving


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerParams:
    """One setting for all cameras and rates.

    Tuned together, at every 1st, 2nd and 4th picture, on PETS 2009 S2.L1 (yolov8n at 640 and 448 px), on the
    MOT15 text sequences PETS09-S2L1, TUD-Campus and TUD-Stadtmitte, and on 15 MEVA clips with misses made up;
    checked on 14 other MEVA clips. All good settings lie on a wide plateau: no value is sharp.
    """

    min_score: float = 0.1  # less lets the second pass hold on to people who can hardly be seen
    high_score: float = 0.45  # more leaves more detections to the second pass, which starts no tracks
    birth_score: float = 0.7  # more starts fewer false tracks and starts true ones later
    confirm_hits: int = 2  # more shows fewer false tracks and shows true ones later
    tentative_s: float = 0.6  # more gives flickering new people longer to be confirmed
    recent_s: float = 0.9  # weak detections may only continue tracks seen within this time
    lost_s: float = 3.5  # more re-finds walkers after longer gaps, and joins strangers more often
    still_s: float = 60.0  # the same for people who stood still
    still_bh_s: float = 0.25  # slower than this stands still; more lets slow walkers be kept at their place
    edge_s: float = 0.8  # more holds people who hover at the edge, and joins leavers with comers
    edge_bh: float = 0.04  # how near the edge is the edge; more forgets more people early
    coast_s: float = 0.3  # more shows guessed boxes longer, less makes people blink
    duplicate_iou: float = 0.7  # a new track may not cover a track seen now by more than this
    vote_s: float = 5.0  # more makes a track's kind slower to change
    pairs: PairParams = field(default_factory=PairParams)
    motion: MotionParams = field(default_factory=MotionParams)


class Tracker:
    """The tracks of one camera. `step` once per picture, also when nothing is seen in it."""

    def __init__(self, params: TrackerParams = TrackerParams()) -> None:
        self._params = params
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forget all tracks; ids go on where they were."""
        none = np.zeros((0, 4))
        self._t: float | None = None
        self._motion = Motion.start(none, self._params.motion)
        self._rows = _Rows.start(none[:, 0], np.zeros(0, np.int64), 0.0)

    def step(self, stamp: Stamp, detections: Detections) -> Tracks:
        """Take in the detections of one picture and give the tracks in it, by id.

        Boxes that are not finite or have no size are ignored; the order of the detections does not matter.
        Raises ValueError if `stamp.t` is not later than the last one since `reset`.
        """
        p = self._params
        dt = self._elapsed(stamp.t)
        boxes, scores, kinds = _clean(detections, p.min_score)
        self._forget(stamp, dt)
        self._motion.predict(dt, p.motion)
        ages = stamp.t - self._rows.seen_t
        value, overlap = worth(self._motion, self._rows.kinds(), self._gates(ages), boxes, kinds, p.pairs)
        strong = scores >= p.high_score
        taken = np.full(len(boxes), -1)
        every = np.ones(len(ages), np.bool_)
        row, column = assign(value, every, strong)
        taken[column] = row
        every[row] = False
        recent = every & (ages <= max(p.recent_s, 1.5 * min(dt, MAX_STEP_S)))
        row, column = assign(value, recent, ~strong)
        taken[column] = row
        self._take_in(stamp.t, dt, taken, boxes, scores, kinds)
        fresh = (taken < 0) & (scores >= p.birth_score)
        if fresh.any():
            covered = overlap[self._rows.seen_t == stamp.t].max(axis=0, initial=0.0)
            born = np.flatnonzero(fresh & (covered <= p.duplicate_iou))[: MAX_TRACKS - len(ages)]
            self._motion.add(Motion.start(boxes[born], p.motion))
            self._rows.add(_Rows.start(scores[born], kinds[born], stamp.t))
        self._name()
        return self._told(stamp)

    def _elapsed(self, t: float) -> float:
        if self._t is not None and not t > self._t:
            raise ValueError(f"Tracker.step: wanted t later than {self._t}, got {t}")
        dt = 0.0 if self._t is None else t - self._t
        self._t = t
        return dt

    def _forget(self, stamp: Stamp, dt: float) -> None:
        """Drop tracks unseen for longer than what they were doing deserves."""
        p, rows, motion = self._params, self._rows, self._motion
        ages = stamp.t - rows.seen_t
        if ages.max(initial=0.0) <= min(p.tentative_s, p.edge_s, p.lost_s, p.still_s):
            return
        life = np.where(motion.speeds_bh() < p.still_bh_s, p.still_s, p.lost_s)
        life[rows.hits < p.confirm_hits] = p.tentative_s
        life[_leaving(motion, stamp, p.edge_bh)] = p.edge_s
        # At low rates a life of less than a step would end before there was a chance to be seen.
        life = np.maximum(life, 1.5 * min(dt, MAX_STEP_S))
        alive = ages <= life
        if not alive.all():
            motion.keep(alive)
            rows.keep(alive)

    def _gates(self, ages: F64) -> F64:
        p = self._params
        gates = p.pairs.gate_bh + p.pairs.gate_sigmas * self._motion.doubt_bh() + p.pairs.gate_bh_s * ages
        gates = np.minimum(gates, p.pairs.gate_max_bh)
        asleep = (ages > p.lost_s) & (self._motion.speeds_bh() < p.still_bh_s)
        gates[asleep] = p.pairs.still_gate_bh
        return gates

    def _take_in(self, t: float, dt: float, taken: I64, boxes: F64, scores: F64, kinds: I64) -> None:
        p, rows = self._params, self._rows
        column = np.flatnonzero(taken >= 0)
        row = taken[column]
        self._motion.correct(row, boxes[column], scores[column] < p.high_score, p.motion)
        rows.seen_t[row] = t
        rows.hits[row] += 1
        rows.scores[row] = scores[column]
        rows.votes *= np.exp(-dt / p.vote_s)
        rows.votes[row, kinds[column]] += scores[column]

    def _name(self) -> None:
        """Give ids to tracks that have just been confirmed; a passing mistake of the network costs none."""
        rows = self._rows
        unnamed = np.flatnonzero((rows.ids < 0) & (rows.hits >= self._params.confirm_hits))
        rows.ids[unnamed] = np.arange(self._next_id, self._next_id + len(unnamed))
        self._next_id += len(unnamed)

    def _told(self, stamp: Stamp) -> Tracks:
        p, rows, motion = self._params, self._rows, self._motion
        boxes = motion.boxes()
        ages = stamp.t - rows.seen_t
        told = ages == 0.0
        if not told.all():
            told |= (ages <= p.coast_s) & ~_leaving(motion, stamp, p.edge_bh)
        shown = np.flatnonzero(told & (rows.ids > 0))
        shown = shown[np.argsort(rows.ids[shown])]
        return Tracks(
            rows.ids[shown],
            as_f32(boxes[shown]),
            as_f32(motion.speed[shown]),
            as_f32(rows.scores[shown]),
            rows.kinds()[shown],
            rows.born_t[shown],
            rows.seen_t[shown],
        )


@dataclass(slots=True)
class _Rows:
    """What is remembered of n tracks beside their motion."""

    ids: I64  # (n,) -1 until confirmed
    born_t: F64  # (n,) stream s
    seen_t: F64  # (n,) stream s
    hits: I64  # (n,)
    scores: F64  # (n,) of the last match
    votes: F64  # (n, N_KINDS) sum of scores, fading

    @classmethod
    def start(cls, scores: F64, kinds: I64, t: float) -> _Rows:
        n = len(scores)
        votes = np.zeros((n, N_KINDS))
        votes[np.arange(n), kinds] = scores
        return cls(np.full(n, -1), np.full(n, t), np.full(n, t), np.ones(n, np.int64), scores.copy(), votes)

    def kinds(self) -> I64:
        """Give the kinds (n,) that the votes are for."""
        kinds: I64 = self.votes.argmax(axis=1)
        return kinds

    def keep(self, rows: Mask) -> None:
        self.ids, self.born_t, self.seen_t = self.ids[rows], self.born_t[rows], self.seen_t[rows]
        self.hits, self.scores, self.votes = self.hits[rows], self.scores[rows], self.votes[rows]

    def add(self, other: _Rows) -> None:
        self.ids = np.concatenate([self.ids, other.ids])
        self.born_t = np.concatenate([self.born_t, other.born_t])
        self.seen_t = np.concatenate([self.seen_t, other.seen_t])
        self.hits = np.concatenate([self.hits, other.hits])
        self.scores = np.concatenate([self.scores, other.scores])
        self.votes = np.concatenate([self.votes, other.votes])


def _clean(detections: Detections, min_score: float) -> tuple[F64, F64, I64]:
    """Give what can be used of boxes, scores and kinds, strongest first, in an order set by them alone."""
    boxes, scores = detections.boxes.astype(np.float64), detections.scores.astype(np.float64)
    size = boxes[:, 2:] - boxes[:, :2]
    usable = np.isfinite(boxes).all(axis=1) & (size > 0).all(axis=1) & (scores >= min_score)
    usable &= scores <= 1.0
    order = np.lexsort((detections.kinds, *boxes.T, -scores))
    order = order[usable[order]][:MAX_DETECTIONS]
    return boxes[order], scores[order], detections.kinds[order]


def _leaving(motion: Motion, stamp: Stamp, edge_bh: float) -> Mask:
    """Tell who is at an edge of the picture and not moving inward (n,)."""
    boxes, height = motion.boxes(), motion.heights()[:, None]
    margin, slow = edge_bh * height, -OUTWARD_BH_S * height
    low = (boxes[:, :2] <= margin) & (motion.speed <= slow)
    high = (boxes[:, 2:] >= (stamp.width, stamp.height) - margin) & (motion.speed >= -slow)
    outward = low | high
    return outward[:, 0] | outward[:, 1]
