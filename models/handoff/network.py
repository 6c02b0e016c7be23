"""Runs the activity network: pairs' windows in, class probabilities out. One session, one thread, no torch.

The file is the project's own work and lies beside this one; its card is `handoff.toml`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from detector.errors import ModelError
from detector.skeletons import STEPS
from detector.types import F32
from models.handoff.features import ACTIVITIES, FEATURES
from models.onnx import ORT_ERRORS

NETWORK = Path(__file__).with_name("handoff.onnx")


class ActivityNetwork:
    """Says what two people do with one another. Not for several threads at once."""

    def __init__(self, path: Path = NETWORK) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except ORT_ERRORS as error:
            raise ModelError(
                "the activity network cannot be opened", where=str(path), got=str(error)
            ) from error
        shape, told = self._session.get_inputs()[0].shape, self._session.get_outputs()[0].shape
        if shape[1:] != [FEATURES, STEPS] or told[1:] != [len(ACTIVITIES)]:
            wanted = f"(n, {FEATURES}, {STEPS}) to (n, {len(ACTIVITIES)})"
            raise ModelError(
                "not an activity network", where=str(path), wanted=wanted, got=f"{shape} to {told}"
            )
        self._input = self._session.get_inputs()[0].name

    def judge(self, windows: Sequence[F32]) -> F32:
        """Give the probabilities of ACTIVITIES (n, 11) of windows (FEATURES, STEPS)."""
        if not windows:
            return np.zeros((0, len(ACTIVITIES)), np.float32)
        answer: F32 = self._session.run(None, {self._input: np.stack(windows)})[0]
        return answer
