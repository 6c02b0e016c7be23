"""Who stands together: groups of people in one picture, and which group is which over time.

Distances are in body heights on the ground: sideways px / body, up-down px * depth_gain / body; on a calibrated
camera metres / BODY_M. A group is at least two people. Two steps: clusters of this picture, then their identity
(a key) by the members they share with earlier groups. Keys are never reused; groups gone for `memory_s` are
forgotten.

    linked     distance <= link_bh               (x 1.36 for those who were together in the last picture)
    group      linked step by step, and compact: mean distance <= link_bh * sqrt(n / 2)
    distance   sqrt(apart² + (relative speed * passing_s)²), smoothed: passers-by are not together

A crowd or a circle of n is compact, a long queue is not: long chains of links are cut, where average
linkage joined them last.

Source: average-link agglomeration (scipy); one-to-one matching of member sets (Hungarian, Jaccard).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.optimize import linear_sum_assignment

from detector.calibration import BODY_M
from detector.errors import check_range
from detector.types import F32, F64, I64, Mask, Observation

_HEIR_SCORE = 0.05  # a group of new ids in the places of a lost one: less than any shared member
_NEAR_SCORE = 0.001  # the same when only their middles are near: less than any person in the place of another


@dataclass(frozen=True, slots=True, kw_only=True)
class GrouperParams:
    """What makes people a group."""

    link_bh: float = 1.0  # body heights between neighbours; more: looser groups, more chance neighbours
    unlink_factor: float = (
        1.36  # who is together stays so up to this many links; more: steadier, slower to part
    )
    passing_s: float = (
        1.0  # how far ahead relative speed counts as distance; more: passers-by are told apart sooner
    )
    smooth_s: float = 1.0  # time constant of distances and speeds; more: calmer, later
    heir_s: float = (
        3.0  # a new id in the place of one lost this recently is the same person; more: more merging
    )
    heir_bh: float = 0.6  # how near that place must be; more: more chance that someone else is taken for them
    memory_s: float = (
        60.0  # how long a vanished group can come back as itself; more: fewer new keys, more memory
    )

    def __post_init__(self) -> None:
        for name in ("link_bh", "passing_s", "smooth_s", "heir_s", "heir_bh", "memory_s"):
            check_range(name, getattr(self, name), 0, 3600, above=True)
        check_range("unlink_factor", self.unlink_factor, 1, 10)


@dataclass(frozen=True, slots=True)
class Group:
    """People who are together in this picture; rows, track_ids and people run in parallel."""

    key: str  # "group-7", the same while the group lasts
    rows: I64  # (n,) rows of the observation
    track_ids: tuple[int, ...]
    people: tuple[int, ...]  # the first track id each person had in this group: outlives a change of id
    centroid_px: tuple[float, float]  # mean foot point
    speed_bh_s: float  # of the middle of the group over the ground, smoothed
    spread_bh: float  # mean distance of the members from the middle, on the ground
    n_id_changes: int  # how often a member's track id was replaced since the group formed


@dataclass(slots=True)
class _Member:
    person: int
    seen_t: float
    foot: tuple[float, float]
    body_px: float


@dataclass(slots=True)
class _Known:
    """What is remembered of one group."""

    key: str
    velocity: tuple[float, float]  # bh/s on the ground, smoothed
    seen_t: float = 0.0
    centroid: tuple[float, float] = (0.0, 0.0)
    body_px: float = 1.0
    members: dict[int, _Member] = field(default_factory=dict)  # by track id; absent ones for heir_s
    n_id_changes: int = 0


class Grouper:
    """Finds the groups of one camera, picture by picture."""

    def __init__(self, params: GrouperParams = GrouperParams()) -> None:
        self._params = params
        self._n_keys = 0
        self.reset()

    def reset(self) -> None:
        """Forget all groups (a new epoch); keys go on counting, so none is reused."""
        self._ids: I64 = np.zeros(0, np.int64)  # sorted
        self._apart: F64 = np.zeros((0, 0))  # smoothed distances of _ids, bh
        self._together: Mask = np.zeros((0, 0), np.bool_)
        self._t = 0.0
        self._known: list[_Known] = []

    def step(self, obs: Observation) -> list[Group]:
        """Give the groups of this picture, those with the oldest key first."""
        order = np.argsort(obs.tracks.ids, kind="stable")
        clusters = [order[rows] for rows in self._clusters(obs, order)]
        self._known = [k for k in self._known if obs.stamp.t - k.seen_t <= self._params.memory_s]
        groups = self._name(obs, clusters)
        self._t = obs.stamp.t
        return groups

    def _clusters(self, obs: Observation, order: I64) -> list[I64]:
        """Give the rows (into `order`) of each cluster of two or more."""
        ids = obs.tracks.ids[order]
        n = len(ids)
        at = np.searchsorted(self._ids, ids)
        was = np.zeros(n, np.bool_)
        was[at < len(self._ids)] = self._ids[at[at < len(self._ids)]] == ids[at < len(self._ids)]
        both = np.outer(was, was)
        before = np.ix_(at[was], at[was])
        apart = _distances(obs, order, self._params.passing_s)
        together = np.zeros((n, n), np.bool_)
        if was.any():
            keep = math.exp(-max(obs.stamp.t - self._t, 0.0) / self._params.smooth_s)
            apart[both] += keep * (self._apart[before].ravel() - apart[both])
            together[both] = self._together[before].ravel()
        labels = self._labels(apart, together)
        self._ids, self._apart = ids, apart
        self._together = labels[:, None] == labels[None, :]
        return [np.flatnonzero(labels == label) for label in np.flatnonzero(np.bincount(labels) >= 2)]

    def _labels(self, apart: F64, together: Mask) -> I64:
        """Give each person the number of their cluster: (n,)."""
        params = self._params
        reach = np.where(together, apart / params.unlink_factor, apart)
        labels = _components(reach <= params.link_bh)
        sizes = np.bincount(labels)
        total = np.bincount(labels, np.where(labels[:, None] == labels, reach, 0.0).sum(axis=1))
        for label in np.flatnonzero(total > sizes * (sizes - 1) * params.link_bh * np.sqrt(sizes / 2)):
            rows = np.flatnonzero(labels == label)
            for part in _compact(reach[np.ix_(rows, rows)], params.link_bh)[1:]:
                labels[rows[part]] = rows[part[0]]
        return labels

    def _name(self, obs: Observation, clusters: Sequence[I64]) -> list[Group]:
        """Match the clusters to known groups and give each its key."""
        if not clusters:
            return []
        here = set(obs.tracks.ids.tolist())
        taken = self._match(obs, clusters, here)
        fresh = 1 - math.exp(-max(obs.stamp.t - self._t, 0.0) / self._params.smooth_s)
        groups: list[Group] = []
        for number, rows in enumerate(clusters):
            crowd = _Crowd.of(obs, rows)
            known = taken.get(number)
            if known is None:
                self._n_keys += 1
                known = _Known(f"group-{self._n_keys}", crowd.velocity)
                self._known.append(known)
            (vx, vy), (nx, ny) = known.velocity, crowd.velocity
            known.velocity = (vx + fresh * (nx - vx), vy + fresh * (ny - vy))
            known.seen_t, known.centroid, known.body_px = obs.stamp.t, crowd.centroid, crowd.body_px
            groups.append(
                Group(
                    key=known.key,
                    rows=rows,
                    track_ids=crowd.ids,
                    people=self._people(known, crowd, obs.stamp.t, here),
                    centroid_px=crowd.centroid,
                    speed_bh_s=math.hypot(*known.velocity),
                    spread_bh=crowd.spread_bh,
                    n_id_changes=known.n_id_changes,
                )
            )
        age = {known.key: i for i, known in enumerate(self._known)}
        return sorted(groups, key=lambda group: age[group.key])

    def _match(self, obs: Observation, clusters: Sequence[I64], here: set[int]) -> dict[int, _Known]:
        """Pair clusters with known groups one to one, most alike first: by shared members, else by place."""
        if not self._known:
            return {}
        lost = [
            (j, known)
            for j, known in enumerate(self._known)
            if obs.stamp.t - known.seen_t <= self._params.heir_s and here.isdisjoint(known.members)
        ]
        score = np.zeros((len(clusters), len(self._known)))
        for i, rows in enumerate(clusters):
            ids = set(obs.tracks.ids[rows].tolist())
            for j, known in enumerate(self._known):
                if shared := len(ids & known.members.keys()):
                    size = len(known.members)
                    if 2 * shared >= min(len(ids), size):
                        score[i, j] = shared / (len(ids) + size - shared)
            if lost and not score[i].any():
                for j, known in lost:
                    score[i, j] = self._inherited(obs.feet[rows], known)
        mine, theirs = linear_sum_assignment(score, maximize=True)
        pairs = zip(mine.tolist(), theirs.tolist(), strict=True)
        return {i: self._known[j] for i, j in pairs if score[i, j] > 0}

    def _inherited(self, feet: F32, known: _Known) -> float:
        """Score people of new ids against a group that was just lost whole: by who stands where one of it stood."""
        members = known.members.values()
        places = np.array([member.foot for member in members])
        reach = self._params.heir_bh * np.array([member.body_px for member in members])
        near = np.linalg.norm(feet[:, None] - places[None], axis=2) <= reach
        if n_heirs := int(min(near.any(axis=0).sum(), near.any(axis=1).sum())):
            return _HEIR_SCORE * n_heirs / (len(feet) + len(places) - n_heirs)
        middle_near = (
            math.dist(feet.mean(axis=0).tolist(), known.centroid) <= self._params.link_bh * known.body_px
        )
        return _NEAR_SCORE if middle_near else 0.0

    def _people(self, known: _Known, crowd: _Crowd, t: float, here: set[int]) -> tuple[int, ...]:
        """Give who each member is: a new id where another was just lost is the same person."""
        members: dict[int, _Member] = {}
        oldest = t - self._params.heir_s
        lost = {k: m for k, m in known.members.items() if k not in here and m.seen_t >= oldest}
        for key, foot, body in zip(crowd.ids, crowd.feet, crowd.bodies, strict=True):
            person = key
            if key in known.members:
                person = known.members[key].person
            elif lost:
                heir = min(lost, key=lambda k: math.dist(lost[k].foot, foot))
                gone = lost[heir]
                if math.dist(gone.foot, foot) <= self._params.heir_bh * gone.body_px:
                    person = gone.person
                    known.n_id_changes += 1
                    del lost[heir], known.members[heir]
            members[key] = _Member(person, t, foot, body)
        people = tuple(m.person for m in members.values())
        for key, member in known.members.items():
            if key not in members and member.seen_t >= oldest:
                members[key] = member
        known.members = members
        return people


@dataclass(frozen=True, slots=True)
class _Crowd:
    """The people of one cluster, as plain numbers: faster than arrays for so few."""

    ids: tuple[int, ...]
    feet: list[tuple[float, float]]
    bodies: list[float]
    centroid: tuple[float, float]
    body_px: float
    velocity: tuple[float, float]  # of the middle, bh/s on the ground
    spread_bh: float

    @classmethod
    def of(cls, obs: Observation, rows: I64) -> _Crowd:
        n = len(rows)
        feet: list[tuple[float, float]] = [(x, y) for x, y in obs.feet[rows].tolist()]
        speed = obs.tracks.velocity[rows].tolist()
        bodies: list[float] = obs.body_px[rows].tolist()
        body = sum(bodies) / n
        gain = sum(obs.depth_gain[rows].tolist()) / n
        cx, cy = sum(x for x, _ in feet) / n, sum(y for _, y in feet) / n
        velocity = sum(v[0] for v in speed) / n / body, sum(v[1] for v in speed) / n * gain / body
        spread = sum(math.hypot(x - cx, (y - cy) * gain) for x, y in feet) / n / body
        if obs.ground is not None:
            here, pace = obs.ground.at_m[rows] / BODY_M, obs.ground.velocity_m_s[rows].mean(axis=0) / BODY_M
            velocity = float(pace[0]), float(pace[1])
            spread = float(np.hypot(*(here - here.mean(axis=0)).T).mean())
        return cls(
            ids=tuple(obs.tracks.ids[rows].tolist()),
            feet=feet,
            bodies=bodies,
            centroid=(cx, cy),
            body_px=body,
            velocity=velocity,
            spread_bh=spread,
        )


def _components(linked: Mask) -> I64:
    """Give each person the lowest number of those reached over links: (n,)."""
    n = len(linked)
    labels = np.arange(n, dtype=np.int64)
    while n:
        lower = np.where(linked, labels[None, :], n).min(axis=1)
        if np.array_equal(lower, labels):
            break
        labels = lower
    return labels


def _compact(reach: F64, link_bh: float) -> list[list[int]]:
    """Cut people (n, n distances) where average linkage joined them last, until every part is compact.

    Parts come with their lowest number first, and the part of number 0 comes first.
    """
    n = len(reach)
    nodes: list[list[int]] = [[i] for i in range(n)]
    children: dict[int, tuple[int, int]] = {}
    for a, b, _, _ in linkage(reach[np.triu_indices(n, 1)], "average").tolist():
        children[len(nodes)] = int(a), int(b)
        nodes.append(sorted(nodes[int(a)] + nodes[int(b)]))
    parts, left = [], [len(nodes) - 1]
    while left:
        node = left.pop()
        part = nodes[node]
        if _is_compact(reach[np.ix_(part, part)], link_bh):
            parts.append(part)
        else:
            left.extend(children[node])
    return sorted(parts)


def _is_compact(reach: F64, link_bh: float) -> bool:
    n = len(reach)
    return n == 1 or float(reach.sum()) / (n * (n - 1)) <= link_bh * math.sqrt(n / 2)


def _distances(obs: Observation, order: I64, passing_s: float) -> F64:
    """Give how far apart people are on the ground, relative speed counted in: (n, n) bh."""
    feet = obs.feet[order].astype(np.float64)
    speed = obs.tracks.velocity[order].astype(np.float64)
    body = obs.body_px[order].astype(np.float64)
    gain = obs.depth_gain[order].astype(np.float64)
    unit = (body[:, None] + body[None, :]) / 2
    if obs.ground is not None:
        feet, speed = obs.ground.at_m[order], obs.ground.velocity_m_s[order]
        gain, unit = np.ones_like(gain), np.full_like(unit, BODY_M)
    deep = (gain[:, None] + gain[None, :]) / 2
    squared = np.zeros_like(unit)
    for values, factor in ((feet, 1.0), (speed, passing_s)):
        across = (values[:, 0, None] - values[None, :, 0]) * factor
        along = (values[:, 1, None] - values[None, :, 1]) * factor * deep
        squared += across**2 + along**2
    apart: F64 = np.sqrt(squared) / unit
    return apart
