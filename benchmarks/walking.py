"""Who walks together, on pedestrians seen from above, pair by pair.

    SET/datasets/PLACE/SCENE/{obsmat,groups}.txt     frame, id, x, -, y, vx, -, vy in metres; one group of ids a line

The product's own `Grouper` is given all people of each moment, a body height being 1.7 m. Two people count as
walking together when it had them in one group for at least `TOGETHER_SHARE` of the moments that both were there.
Peers: nearness alone, and nearness with like speed, each for the same share of moments.

The gathering rule with its default settings watches the same people: whoever walks should raise no alert. Its peer
is a head count.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np

from benchmarks.events import bootstrap
from benchmarks.gatherings import HeadCount
from benchmarks.ground_plane import observation_from_above
from benchmarks.report import Figure
from benchmarks.sequences import short_name
from benchmarks.standing import f1
from detector.episodes import Episodes
from detector.errors import ConfigError
from detector.groups import Grouper, GrouperParams
from detector.rules.base import View
from detector.rules.gathering import Gathering, GatheringParams
from detector.types import F64, I64, Mask, Phase

STEP_S = 0.4  # between two moments of these recordings
TOGETHER_SHARE = 0.6
LINK_BH = 0.7  # of all scenes; best on TUNED_ON among .7, .8, .9 with passing_s 1, 2, 3
TUNED_ON = "zara01"
NEAR_M, LIKE_M_S = 1.5, 0.5  # the peers'

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Scene:
    """One recording; nothing is read before it is asked for."""

    name: str
    data: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Moment:
    """Everyone who is there at one time, by id."""

    t: float
    ids: I64  # (n,)
    places_m: F64  # (n, 2)
    velocity_m_s: F64  # (n, 2)


def find_scenes(data_dir: Path) -> list[Scene]:
    """Give the scenes in `data_dir`, by path."""
    return [
        Scene(
            short_name(places.parent.name), "/".join(places.relative_to(data_dir).parts[:-1]), places.parent
        )
        for places in sorted(data_dir.glob("*/datasets/*/*/obsmat.txt"))
        if places.with_name("groups.txt").is_file()
    ]


def read_moments(folder: Path) -> list[Moment]:
    """Give the moments of a scene, in order. Raises ConfigError."""
    try:
        rows = np.loadtxt(folder / "obsmat.txt", ndmin=2)
        frames = np.unique(rows[:, 0])
        step = float(np.min(np.diff(frames)))
    except (ValueError, IndexError, OSError) as error:
        raise ConfigError(
            "the positions cannot be read", where=str(folder / "obsmat.txt"), got=str(error)
        ) from error
    moments = []
    for frame in frames.tolist():
        now = rows[rows[:, 0] == frame]
        t = (frame - frames[0]) / step * STEP_S
        moments.append(Moment(t, now[:, 1].astype(np.int64), now[:, [2, 4]], now[:, [5, 7]]))
    return moments


def read_pairs(folder: Path) -> set[Pair]:
    """Give the pairs that truly walk together. Raises ConfigError."""
    try:
        lines = (folder / "groups.txt").read_text(encoding="utf-8").splitlines()
        groups = [sorted(int(word) for word in line.split()) for line in lines]
    except (ValueError, OSError) as error:
        raise ConfigError(
            "the groups cannot be read", where=str(folder / "groups.txt"), got=str(error)
        ) from error
    return {pair for group in groups for pair in itertools.combinations(group, 2)}


def our_pairs(moments: Sequence[Moment], params: GrouperParams = GrouperParams(link_bh=LINK_BH)) -> set[Pair]:
    """Give the pairs that the product's grouper has together."""
    grouper = Grouper(params)

    def together(moment: Moment) -> Iterator[Pair]:
        seen = observation_from_above(moment.t, moment.ids, moment.places_m, moment.velocity_m_s)
        for group in grouper.step(seen):
            yield from itertools.combinations(sorted(group.track_ids), 2)

    return _lasting(moments, together)


def near_pairs(moments: Sequence[Moment], like: bool) -> set[Pair]:
    """Give the pairs that are near, and of like speed if `like`."""

    def together(moment: Moment) -> Iterator[Pair]:
        close = _apart(moment.places_m) < NEAR_M
        if like:
            close &= _apart(moment.velocity_m_s) < LIKE_M_S
        yield from _chosen(moment.ids, close)

    return _lasting(moments, together)


def alerts(moments: Sequence[Moment]) -> dict[str, int]:
    """Give how many alerts the gathering rule and a head count raise, by their names."""
    params = GatheringParams()
    rules = (Gathering(params), HeadCount(params))
    grouper, episodes = Grouper(GrouperParams(link_bh=params.link_bh)), Episodes(UUID(int=0), "bench", rules)
    told: Counter[str] = Counter({rule.name: 0 for rule in rules})
    for moment in moments:
        seen = observation_from_above(moment.t, moment.ids, moment.places_m, moment.velocity_m_s)
        view = View(seen, {params.link_bh: grouper.step(seen)})
        found = episodes.step(seen.stamp, [rule.step(view) for rule in rules])
        told.update(alert.rule for alert in found if alert.phase is Phase.OPENED)
    return dict(told)


def measure(scene: Scene, seen: Callable[[int, int], None]) -> list[Figure]:
    """Measure one scene. Raises ConfigError."""
    moments, truth = read_moments(scene.folder), read_pairs(scene.folder)
    there = {int(one) for moment in moments for one in moment.ids.tolist()}
    truth = {pair for pair in truth if there.issuperset(pair)}
    found = {
        "ours": our_pairs(moments),
        "nearness": near_pairs(moments, like=False),
        "nearness_and_speed": near_pairs(moments, like=True),
    }
    seen(1, 1)
    people = sorted(there)
    values = {name: f1([_counts(truth, pairs)]) or 0.0 for name, pairs in found.items()}
    units = [_counts(_of(truth, one), _of(found["ours"], one)) for one in people]
    told = alerts(moments)
    return [
        Figure(
            name=f"pairs.{scene.name}.f1",
            value=values.pop("ours"),
            unit="1",
            data=scene.data,
            split="all moments" + (", tuned on it" if scene.name == TUNED_ON else ""),
            n=len(truth),
            ci95=bootstrap(units, f1),
            peers=values,
        ),
        Figure(
            name=f"pairs.{scene.name}.gathering_alerts",
            value=told.pop(Gathering.name),
            unit="alerts",
            data=scene.data,
            split=f"all moments, {moments[-1].t / 60:.0f} min, default settings",
            n=len(people),
            peers=told,
        ),
    ]


def _lasting(moments: Sequence[Moment], together: Callable[[Moment], Iterator[Pair]]) -> set[Pair]:
    """Give the pairs that are together for long enough."""
    both: Counter[Pair] = Counter()
    close: Counter[Pair] = Counter()
    for moment in moments:
        both.update(itertools.combinations(sorted(moment.ids.tolist()), 2))
        close.update(together(moment))
    return {pair for pair, n in close.items() if n >= TOGETHER_SHARE * both[pair]}


def _counts(truth: set[Pair], found: set[Pair]) -> tuple[int, int, int]:
    return len(truth & found), len(found), len(truth)


def _of(pairs: set[Pair], one: int) -> set[Pair]:
    """Give the pairs that a person is the first of: each pair belongs to one person."""
    return {pair for pair in pairs if pair[0] == one}


def _apart(points: F64) -> F64:
    apart: F64 = np.hypot(*(points[:, None, :] - points[None, :, :]).transpose(2, 0, 1))
    return apart


def _chosen(ids: I64, close: Mask) -> Iterator[Pair]:
    for i, j in np.argwhere(np.triu(close, 1)).tolist():
        a, b = int(ids[i]), int(ids[j])
        yield (min(a, b), max(a, b))
