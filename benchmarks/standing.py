"""Who stands together, on labelled conversational groups (F-formations), picture by picture.

    SET/data/octave/NAME[/SEQUENCE]/{features,groundtruth}.mat     positions in cm and facing, groups of ids, by timestamp

The product's own `Grouper` is given the people of each labelled picture alone, as seen from above, one body
height being 1.7 m. A group is right when at least a share `t` of its true members is in it and at most 1 - t of it are
others (t = 2/3), or when it is the same (t = 1). People alone are no group.

Cameras do not tell the product where people face. What it would be worth is measured beside (`facing`): each
person stands in for the point that they look at, an arm's length before them, where those of one group meet.

Source: Cristani et al., Social interaction discovery by statistical analysis of F-formations, BMVC 2011 (the
tolerance, and votes for the middle of a group by facing); Setti et al., F-formation detection: individuating
free-standing conversational groups, PLoS ONE 2015.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from scipy.cluster.hierarchy import fcluster, linkage

from benchmarks.events import bootstrap
from benchmarks.ground_plane import observation_from_above
from benchmarks.report import Figure
from benchmarks.sequences import short_name
from detector.errors import ConfigError
from detector.groups import Grouper, GrouperParams
from detector.types import F64, I64

TOLERANCES = {"f1": 2 / 3, "f1_exact": 1.0}
LINK_BH = 0.65  # one setting for all sets; best on the first halves
NEAR_M = 1.5  # the baseline's: everyone nearer than this to somebody of the group is of the group

FACING_M, FACING_LINK_BH = (
    0.4,
    0.6,
)  # how far before them; best on the first halves, of .4, .55, .7 and .4 to .7

PARAMS = GrouperParams(link_bh=LINK_BH)
FACING_PARAMS = GrouperParams(link_bh=FACING_LINK_BH)

Groups = list[frozenset[int]]


@dataclass(frozen=True, slots=True)
class Moment:
    """One labelled picture."""

    ids: I64  # (n,)
    places_m: F64  # (n, 2) on the ground
    facing: F64  # (n,) angle on the ground, rad
    truth: Groups

    def looked_at(self) -> Moment:
        """The same, each person being where they look."""
        way = np.stack([np.cos(self.facing), np.sin(self.facing)], axis=1)
        return replace(self, places_m=self.places_m + FACING_M * way)


@dataclass(frozen=True, slots=True)
class StandingSet:
    """The sequences of one set; nothing is read before it is asked for."""

    name: str
    data: str
    folders: Sequence[Path]


def find_sets(data_dir: Path) -> list[StandingSet]:
    """Give the sets in `data_dir`, by name."""
    found: dict[tuple[str, str], list[Path]] = {}
    for truth in sorted(data_dir.glob("*/data/octave/**/groundtruth.mat")):
        below = truth.relative_to(data_dir).parts
        if truth.with_name("features.mat").is_file():
            found.setdefault((below[0], below[3]), []).append(truth.parent)
    return [
        StandingSet(short_name(name), f"{data}/{name}", folders) for (data, name), folders in found.items()
    ]


def read_moments(folder: Path) -> Iterator[Moment]:
    """Give each labelled picture of a sequence that has positions at that time. Raises ConfigError."""
    try:
        features = scipy.io.loadmat(folder / "features.mat")
        truth = scipy.io.loadmat(folder / "groundtruth.mat")
        places = dict(zip(features["timestamp"].ravel().tolist(), features["features"].ravel(), strict=True))
        labelled = list(zip(truth["GTtimestamp"].ravel().tolist(), truth["GTgroups"].ravel(), strict=True))
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            "the labels cannot be read",
            where=str(folder),
            wanted="features.mat and groundtruth.mat",
            got=str(error),
        ) from error
    times = np.array(sorted(places))
    for t, groups in labelled:
        nearest = int(times[np.abs(times - t).argmin()])
        people = places[nearest]
        rows = people.reshape(-1, 4) if people.size else np.zeros((0, 4))
        yield Moment(rows[:, 0].astype(np.int64), rows[:, 1:3] / 100.0, rows[:, 3], _groups(groups))


def our_groups(moment: Moment, params: GrouperParams = PARAMS) -> Groups:
    """Give the groups that the product's grouper finds in one picture."""
    still = np.zeros_like(moment.places_m)
    observation = observation_from_above(0.0, moment.ids, moment.places_m, still)
    return [frozenset(group.track_ids) for group in Grouper(params).step(observation)]


def near_groups(moment: Moment) -> Groups:
    """Give the baseline's groups: chains of people nearer than NEAR_M."""
    if len(moment.ids) < 2:
        return []
    labels = fcluster(linkage(moment.places_m, "single"), NEAR_M, "distance")
    members = (frozenset(moment.ids[labels == label].tolist()) for label in np.unique(labels))
    return [group for group in members if len(group) >= 2]


def count_right(truth: Groups, found: Groups, tolerance: float) -> int:
    """Count the found groups that are right; each true group is found once at most."""
    left, n_right = list(found), 0
    for group in truth:
        for one in left:
            if _agree(group, one, tolerance):
                left.remove(one)
                n_right += 1
                break
    return n_right


def measure(part: StandingSet, seen: Callable[[int, int], None]) -> list[Figure]:
    """Measure one set: the second half of each sequence, then the first, on which LINK_BH was tuned."""
    sequences = [list(read_moments(folder)) for folder in part.folders]
    halves = {
        "": [moment for all_of in sequences for moment in all_of[len(all_of) // 2 :]],
        "tuning.": [moment for all_of in sequences for moment in all_of[: len(all_of) // 2]],
    }
    figures: list[Figure] = []
    for number, (half, moments) in enumerate(halves.items()):
        figures += _measure_half(part, half, moments)
        seen(number + 1, len(halves))
    return figures


def _measure_half(part: StandingSet, half: str, moments: Sequence[Moment]) -> Iterator[Figure]:
    near = [near_groups(moment) for moment in moments]
    for way, told, known in (
        ("", [our_groups(moment) for moment in moments], "positions alone"),
        (
            "facing.",
            [our_groups(moment.looked_at(), FACING_PARAMS) for moment in moments],
            "positions and facing, which cameras do not tell",
        ),
    ):
        for metric, tolerance in TOLERANCES.items():
            units, theirs = (
                [
                    _counts(moment.truth, groups, tolerance)
                    for moment, groups in zip(moments, found, strict=True)
                ]
                for found in (told, near)
            )
            yield Figure(
                name=f"groups.{part.name}.{half}{way}{metric}",
                value=f1(units),
                unit="1",
                data=part.data,
                split=f"{'first' if half else 'second'} half of each sequence, {known}",
                n=sum(len(moment.truth) for moment in moments),
                ci95=bootstrap(units, f1),
                peers={"nearness": f1(theirs) or 0.0},
            )


def f1(units: Sequence[tuple[int, int, int]]) -> float | None:
    """Give F1 of (right, found, true) counts; None: nothing true and nothing found."""
    right, found, true = (sum(unit[k] for unit in units) for k in range(3))
    return 2 * right / (found + true) if found + true else None


def _counts(truth: Groups, found: Groups, tolerance: float) -> tuple[int, int, int]:
    return count_right(truth, found, tolerance), len(found), len(truth)


def _agree(true: frozenset[int], found: frozenset[int], tolerance: float) -> bool:
    if tolerance >= 1:
        return true == found
    both = len(true & found)
    wanted = math.ceil(tolerance * len(true) - 1e-9)
    return both >= wanted and len(found) - both <= len(true) - wanted


def _groups(cell: Any) -> Groups:
    """Give the groups of two or more of one MATLAB cell."""
    found = (frozenset(int(i) for i in np.asarray(one).ravel()) for one in np.asarray(cell, object).ravel())
    return [group for group in found if len(group) >= 2]
