"""How well hand-overs are told from what looks like them, on recorded skeletons of two people.

    SET/fold*.npz              SBU: the picture as recorded (no depth), eight classes, by whole clips
    SET/{normal,...}.npz       recorded hand-overs, and SET/buetepage_kinect: handshakes, fist bumps, waves;
                               whole recordings through virtual cameras, judged as they go, nothing ahead

Every clip is judged by a network that never saw its fold, nor anything of the gesture set: neither its people
nor its sensor. Beside it, in the same run, the state machine on wrist distances. No torch; the networks lie
beside `models/handoff/network.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.report import Figure
from detector.handoff_baseline import touches
from detector.skeletons import RATE_HZ, SHOULDERS, STEPS, arm_length, even_steps, middle, wrist_gaps
from detector.types import F32, F64, Mask
from models.handoff.cameras import draw_view, observe
from models.handoff.features import ACTIVITIES, features
from models.handoff.network import NETWORK, ActivityNetwork
from models.handoff.skeleton_sets import (
    SBU_LABELS,
    Clip,
    between,
    load_gestures,
    load_handovers,
    load_sbu,
)

SBU, HANDOVERS, GESTURES = "sbu_interaction", "h2h_handover_zed", "interaction_skeletons_negative"
EXCHANGE = ACTIVITIES.index("exchange")
SEED = 2026
HANDOVER_VIEWS, GESTURE_VIEWS = 2, 10  # cameras that see one recording
STEP_S = 0.2  # between two judgements
MATCH_S = 2.5  # a call this long after the hands met is the call of that hand-over
FALSE_SHARE = 0.01
RECENT = slice(STEPS - 17, STEPS - 1)  # of the grid: hands met 1.6 to 0.1 s before it was said
Show = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Filmed:
    """One recording through one camera, judged as it went."""

    clip: Clip
    ends: F64  # (k,) s: when it was judged
    scores: F32  # (k,) probability that something was handed over
    met: F64  # (k,) s: when hands were nearest in what was judged
    touch_ends: F64  # (m,) s: touches as the state machine tells them
    touch_scores: F32  # (m,)
    touch_met: F64  # (m,) s


def handoff_figures(data: Path, show: Show) -> list[Figure]:
    """Measure on whatever of the sets lies in `data`."""
    return [*_sbu(load_sbu(data / SBU)), *_recorded(data, show)]


def has_handoffs(data: Path) -> bool:
    """Tell whether there is anything to measure on."""
    return any((data / name).is_dir() for name in (SBU, HANDOVERS))


def _fold_networks() -> list[ActivityNetwork]:
    return [ActivityNetwork(path) for path in sorted(NETWORK.parent.glob("fold*.onnx"))]


def _sbu(clips: Sequence[Clip]) -> list[Figure]:
    if not clips:
        return []
    networks = _fold_networks()
    columns = [ACTIVITIES.index(label) for label in SBU_LABELS]
    told, ruled = [], []
    for clip in clips:
        points = _as_seen(clip.joints)
        seen = features(clip.times, points, float(clip.times[-1]))
        assert seen is not None
        told.append(networks[clip.fold].judge([seen])[0])
        found = _touches(clip.times, points)[1]
        ruled.append(float(found.max(initial=0)))
    probabilities, rule = np.stack(told), np.array(ruled)
    truth = np.array([clip.label for clip in clips])
    named = np.array(SBU_LABELS)[probabilities[:, columns].argmax(1)]
    exchanged = truth == "exchange"
    values: tuple[tuple[str, float | None, float | None], ...] = (
        ("exchange_f1", f1(exchanged, named == "exchange"), f1(exchanged, rule > 0)),
        (
            "exchange_ap",
            ranked_precision(exchanged, probabilities[:, EXCHANGE]),
            ranked_precision(exchanged, rule),
        ),
        ("accuracy8", float((named == truth).mean()), None),
        (
            "handshakes_called_exchange",
            _share((named == "exchange")[truth == "handshake"]),
            _share((rule > 0)[truth == "handshake"]),
        ),
    )
    return [
        Figure(
            name=f"handoff.skeleton.sbu.{name}",
            value=value,
            unit="1",
            data=SBU,
            split="as recorded, no depth, leave one fold out",
            n=len(clips),
            peers={} if peer is None else {"touch_machine": peer},
        )
        for name, value, peer in values
    ]


def _recorded(data: Path, show: Show) -> list[Figure]:
    handovers, gestures = load_handovers(data / HANDOVERS), load_gestures(data / GESTURES)
    if not handovers or not gestures:
        return []
    networks, rng = _fold_networks(), np.random.default_rng(SEED)
    jobs = [(clip, HANDOVER_VIEWS) for clip in handovers] + [(clip, GESTURE_VIEWS) for clip in gestures]
    filmed: list[Filmed] = []
    for done, (clip, views) in enumerate(jobs):
        filmed += [judge_recording(clip, networks[clip.fold], rng) for _ in range(views)]
        show("hand-overs", done + 1, len(jobs))
    return _compare(filmed, len(handovers), len(gestures))


def judge_recording(clip: Clip, network: ActivityNetwork, rng: np.random.Generator) -> Filmed:
    """See a whole recording through a camera drawn from `rng`, and judge it every STEP_S."""
    view = draw_view(rng)
    times = np.arange(clip.times[0], clip.times[-1], 1 / view.rate_hz)
    points = observe(between(clip, times), view, rng)
    ends, windows, met = [], [], []
    for end in np.arange(times[0] + 0.5, times[-1] + STEP_S, STEP_S):
        part = (times <= end) & (times >= end - 3.5)
        seen = features(times[part], points[part], float(end))
        if seen is None:
            continue
        ends.append(end)
        windows.append(seen)
        gaps = wrist_gaps(even_steps(times[part], points[part], float(end))[0]).min((1, 2))
        near = np.where(np.isfinite(gaps), gaps, np.inf)[RECENT]
        met.append(end - (len(gaps) - 1 - RECENT.start - int(near.argmin())) / RATE_HZ)
    scores = network.judge(windows)[:, EXCHANGE]
    touch_ends, touch_scores, touch_met = _touches(times, points)
    return Filmed(clip, np.array(ends), scores, np.array(met), touch_ends, touch_scores, touch_met)


def _compare(filmed: Sequence[Filmed], n_handovers: int, n_gestures: int) -> list[Figure]:
    """Recall where at most one gesture in a hundred is called a hand-over, and how right the time is."""
    ours = _at_limit([(one.clip, one.ends, one.scores, one.met) for one in filmed])
    theirs = _at_limit([(one.clip, one.touch_ends, one.touch_scores, one.touch_met) for one in filmed])
    split = f"{n_handovers} hand-overs x {HANDOVER_VIEWS} cameras, {n_gestures} gestures x {GESTURE_VIEWS} cameras"
    figures = []
    for part, unit in (("recall_at_fpr01", "1"), ("timing_p50_s", "s"), ("decision_p50_s", "s")):
        peer = theirs[part]
        figures.append(
            Figure(
                name=f"handoff.skeleton.{part}",
                value=ours[part],
                unit=unit,
                data=f"{HANDOVERS}, {GESTURES}",
                split=split,
                n=len(filmed),
                peers={} if peer is None else {"touch_machine": peer},
            )
        )
    return figures


def _at_limit(told: Sequence[tuple[Clip, F64, F32, F64]]) -> dict[str, float | None]:
    """Put the limit where FALSE_SHARE of the gestures pass, and tell recall, error of time and delay."""
    gestures = np.array([scores.max(initial=0) for clip, _, scores, _ in told if clip.label != "exchange"])
    limit = float(np.sort(gestures)[::-1][int(FALSE_SHARE * len(gestures))])
    found, errors, delays = 0, [], []
    handovers = [one for one in told if one[0].label == "exchange"]
    for clip, ends, scores, met in handovers:
        event = float(clip.events[0])
        right = (scores > limit) & (ends >= event - 0.2) & (ends <= event + MATCH_S)
        if right.any():
            found += 1
            rows = np.flatnonzero(right)
            errors.append(abs(float(met[rows[0]]) - event))
            delays.append(float(ends[rows[0]]) - event)
    return {
        "recall_at_fpr01": found / len(handovers),
        "timing_p50_s": float(np.median(errors)) if errors else None,
        "decision_p50_s": float(np.median(delays)) if delays else None,
    }


def _touches(times: F64, points: F32) -> tuple[F64, F32, F64]:
    """What the state machine tells of a pair's pictures: ends, scores, when nearest."""
    places = np.where(points[..., 2:] > 0, points[..., :2], np.nan)
    unit = arm_length(places) or np.nan
    gaps = wrist_gaps(places).reshape(len(times), 4)
    nearest = np.where(np.isfinite(gaps), gaps, np.inf).min(1) / unit
    trunks = middle(places, SHOULDERS)
    apart = np.linalg.norm(trunks[:, 0] - trunks[:, 1], axis=-1) / unit
    found = touches(times, np.where(np.isinf(nearest), np.nan, nearest), apart)
    return (
        np.array([touch.ended_t for touch in found]),
        np.array([touch.score for touch in found], np.float32),
        np.array([touch.nearest_t for touch in found]),
    )


def _as_seen(joints: F32) -> F32:
    """The picture as recorded: x and y, sure of every joint that the set has."""
    known = np.isfinite(joints).all(axis=-1, keepdims=True)
    return np.concatenate([np.where(known, joints[..., :2], 0), known], axis=-1)


def _share(said: Mask) -> float | None:
    return float(said.mean()) if len(said) else None


def f1(truth: Mask, said: Mask) -> float:
    """Harmonic mean of precision and recall; 0 when nothing was right."""
    right = int((truth & said).sum())
    return 2 * right / int(truth.sum() + said.sum()) if right else 0.0


def ranked_precision(truth: Mask, scores: F32 | F64) -> float:
    """Average precision: the mean, over the true ones, of the precision among all that score as high."""
    return float(np.mean([np.mean(truth[scores >= score]) for score in scores[truth]]))
