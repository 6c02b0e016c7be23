"""Laws of the activity network: the file says what torch said, sees no left or right, and looks never ahead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.errors import ModelError
from detector.skeletons import STEPS
from detector.types import F32, F64
from models.handoff.features import ACTIVITIES, CLASSES, FEATURES, features, to_classes
from models.handoff.network import NETWORK, ActivityNetwork

PERSON = np.array(
    [
        [0, -160], [3, -163], [-3, -163], [6, -162], [-6, -162], [18, -140], [-18, -140], [22, -112], [-22, -112],
        [24, -88], [-24, -88], [11, -90], [-11, -90], [12, -48], [-12, -48], [12, -4], [-12, -4],
    ],
    np.float32,
)  # fmt: skip


def pair(n: int = 40, rate_hz: float = 12.5, seed: int = 0) -> tuple[F64, F32]:
    """Two people 120 px apart, one of whom stretches an arm out to the other and takes it back."""
    rng = np.random.default_rng(seed)
    times = np.arange(n) / rate_hz
    points = np.stack([np.repeat(PERSON[None] + [x, 300], n, axis=0) for x in (100, 220)], axis=1)
    out = np.exp(-(((times - times[-1] / 2) / 0.5) ** 2))[:, None]
    points[:, 0, 9] += out * (np.array([160, 190]) - points[:, 0, 9])
    points[:, 1, 10] += out * (np.array([166, 190]) - points[:, 1, 10])
    points += rng.normal(0, 0.5, points.shape)
    return times, np.concatenate([points, np.ones((n, 2, 17, 1))], axis=-1).astype(np.float32)


def test_onnx_says_what_torch_said() -> None:
    """On stored windows the ONNX file's probabilities equal those of PyTorch to 1e-4."""
    with np.load(NETWORK.with_name("reference.npz")) as stored:
        windows, wanted = stored["windows"], stored["probabilities"]
    assert len(windows) >= 16
    told = ActivityNetwork().judge(list(windows))
    assert np.abs(told - wanted).max() < 1e-4


def test_every_network_is_small_and_whole() -> None:
    """All files together stay under 2 MB and each answers with probabilities."""
    files = sorted(NETWORK.parent.glob("*.onnx"))
    assert sum(path.stat().st_size for path in files) < 2_000_000
    assert {path.stem for path in files} == {"handoff", "fold0", "fold1", "fold2"}
    window = features(*pair(), 3.0)
    assert window is not None
    for path in files:
        told = ActivityNetwork(path).judge([window, window])
        assert told.shape == (2, len(ACTIVITIES))
        assert told.sum(1) == pytest.approx([1, 1], abs=1e-5)


def test_left_and_right_look_the_same() -> None:
    """People swapped, and limbs named the wrong way round, give the same numbers."""
    times, points = pair()
    plain = features(times, points, 3.0)
    assert plain is not None
    assert plain.shape == (FEATURES, STEPS)
    assert features(times, points[:, ::-1], 3.0) == pytest.approx(plain, abs=1e-5)
    turned = np.arange(17)
    turned[1:] = np.arange(1, 17).reshape(-1, 2)[:, ::-1].ravel()
    assert features(times, points[:, :, turned], 3.0) == pytest.approx(plain, abs=1e-5)


def test_size_and_place_do_not_matter() -> None:
    """The same pair twice as large and elsewhere in the picture gives the same numbers."""
    times, points = pair()
    larger = points.copy()
    larger[..., :2] = points[..., :2] * 2 + [300, 50]
    assert features(times, larger, 3.0) == pytest.approx(features(times, points, 3.0), abs=1e-4)


def test_the_rate_hardly_matters() -> None:
    """A pair seen 25 and 10 times a second gives nearly the same numbers."""
    times, points = pair(n=80, rate_hz=25)
    every = features(times, points, 3.0)
    assert every is not None
    few = features(times[::2], points[::2], 3.0)
    assert few is not None
    assert np.abs(every - few).mean() < 0.03


def test_nobody_to_measure_gives_nothing() -> None:
    """Without an arm there is no unit of length, and no numbers instead of wrong ones."""
    times, points = pair()
    points[:, :, 5:11, 2] = 0
    assert features(times, points, 3.0) is None


def test_what_is_not_seen_is_said_so() -> None:
    """Missing joints never put NaN before the network."""
    times, points = pair()
    points[:, 1, 11:, 2] = 0
    points[10:30, 0, 9, 2] = 0
    window = features(times, points, 3.0)
    assert window is not None
    assert np.isfinite(window).all()


def test_classes_are_sums_of_activities() -> None:
    """Each of the network's activities counts for one class of the rule; nothing is lost."""
    one_each = np.eye(len(ACTIVITIES), dtype=np.float32)
    told = to_classes(one_each)
    assert told.shape == (len(ACTIVITIES), len(CLASSES))
    assert told.sum(1) == pytest.approx(np.ones(len(ACTIVITIES)))
    assert told[ACTIVITIES.index("punching"), CLASSES.index("push_or_punch")] == 1


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A file that is no activity network is refused with its name."""
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"not a network")
    with pytest.raises(ModelError, match="activity network"):
        ActivityNetwork(wrong)
