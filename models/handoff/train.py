"""Training of the activity network, one command and a seed: `python -m models.handoff.train --data FOLDER`.

Needs torch and onnx (extra `export`); the runtime imports nothing of this file. Writes into `--out`:
`handoff.onnx` (of all clips), `fold0.onnx` ... (each never saw its fold, nor anything of the gesture set;
the benchmark uses them), `reference.npz` (what torch says to some windows).
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from detector.skeletons import STEPS
from detector.types import F32, Mask
from models.handoff.features import ACTIVITIES, FEATURES
from models.handoff.skeleton_sets import FOLDS, load_all
from models.handoff.windows import Windows, draw_windows

log = logging.getLogger("watchpost.handoff")

CHANNELS = 48
DILATIONS = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class Params:
    """How long and how hard it learns."""

    seed: int = 7
    n_windows: int = 12_000
    epochs: int = 20
    batch: int = 128
    rate: float = 4e-3
    smoothing: float = 0.02


class Block(nn.Module):  # type: ignore[misc]
    """A causal convolution over the past, then a mix of channels, added to what came in."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.past = nn.ConstantPad1d((2 * dilation, 0), 0.0)
        self.conv = nn.Conv1d(CHANNELS, CHANNELS, 3, dilation=dilation)
        self.mix = nn.Conv1d(CHANNELS, CHANNELS, 1)
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Any) -> Any:
        return x + self.drop(self.mix(torch.relu(self.conv(self.past(x)))))


class Network(nn.Module):  # type: ignore[misc]
    """Windows (n, FEATURES, STEPS) to probabilities of ACTIVITIES (n, 11); `logits` for learning."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(FEATURES, CHANNELS, 4, stride=2)
        self.blocks = nn.Sequential(*(Block(dilation) for dilation in DILATIONS))
        self.last = nn.Linear(3 * CHANNELS, len(ACTIVITIES))
        self.drop = nn.Dropout(0.2)

    def logits(self, x: Any) -> Any:
        x = torch.relu(self.blocks(torch.relu(self.first(nn.functional.pad(x, (2, 0))))))
        pooled = torch.cat([x[:, :, -1], x.mean(2), x.amax(2)], dim=1)
        return self.last(self.drop(pooled))

    def forward(self, x: Any) -> Any:
        return torch.softmax(self.logits(x), dim=1)


def train(windows: Windows, rows: Mask, params: Params) -> Network:
    """Learn from the chosen rows; the same seed gives the same weights."""
    torch.manual_seed(params.seed)
    draw = torch.Generator().manual_seed(params.seed)
    inputs = torch.from_numpy(windows.inputs[rows])
    labels = torch.from_numpy(windows.labels[rows])
    weights = _balance(windows.labels[rows])
    network = Network()
    steps = params.epochs * (len(labels) // params.batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=params.rate, weight_decay=0.02)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, params.rate, total_steps=steps)
    loss_of = nn.CrossEntropyLoss(weight=weights, label_smoothing=params.smoothing)
    network.train()
    for epoch in range(params.epochs):
        order, total = torch.randperm(len(labels), generator=draw), 0.0
        for batch in order[: len(order) // params.batch * params.batch].split(params.batch):
            size = 1 + 0.08 * torch.randn(len(batch), 1, 1, generator=draw)
            seen = inputs[batch] * torch.where(inputs[batch].eq(1.0), torch.ones(()), size)
            loss = loss_of(network.logits(seen), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            plan.step()
            total += float(loss.detach())
        log.info("epoch %d loss %.4f", epoch + 1, total / (len(order) // params.batch))
    network.eval()
    return network


def told(network: Network, inputs: F32) -> F32:
    """What the network says, as an array."""
    with torch.no_grad():
        answer: F32 = network(torch.from_numpy(inputs)).numpy()
    return answer


def export(network: Network, path: Path) -> None:
    """Write the network as ONNX with any number of windows in a batch."""
    torch.onnx.export(
        network, (torch.zeros(1, FEATURES, STEPS),), str(path), dynamo=False, opset_version=17,
        input_names=["windows"], output_names=["probabilities"],
        dynamic_axes={"windows": {0: "n"}, "probabilities": {0: "n"}},
    )  # fmt: skip


def _balance(labels: Any) -> Any:
    """Weights that make rare activities count half-way as much as common ones."""
    counts = np.maximum(np.bincount(labels, minlength=len(ACTIVITIES)), 1)
    weights = (1 / counts) ** 0.5
    return torch.from_numpy((weights / weights.mean()).astype(np.float32))


def run(data: Path, out: Path, params: Params, only: Sequence[str] = ()) -> None:
    """Draw the windows once and train every network (or those named in `only`)."""
    clips = list(load_all(data))
    windows = draw_windows(clips, params.n_windows, params.seed)
    log.info("%d clips, %d windows, seed %d", len(clips), len(windows.labels), params.seed)
    held_out = {f"fold{fold}": (windows.folds == fold) | windows.gestures for fold in range(FOLDS)}
    held_out["handoff"] = np.zeros(len(windows.labels), np.bool_)
    out.mkdir(parents=True, exist_ok=True)
    for name, unseen in held_out.items():
        if only and name not in only:
            continue
        network = train(windows, ~unseen, params)
        export(network, out / f"{name}.onnx")
        part = unseen if unseen.any() else ~unseen
        right = told(network, windows.inputs[part]).argmax(1) == windows.labels[part]
        log.info("%s: right in %s windows %.4f", name, "unseen" if unseen.any() else "its own", right.mean())
        if name == "handoff":
            some = windows.inputs[:: max(len(windows.inputs) // 16, 1)][:16]
            np.savez_compressed(out / "reference.npz", windows=some, probabilities=told(network, some))


def main() -> None:
    """Read the command line and train."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    usual, options = (
        Params(),
        argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None),
    )
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, default=Path(__file__).parent)
    options.add_argument("--seed", type=int, default=usual.seed)
    options.add_argument("--windows", type=int, default=usual.n_windows)
    options.add_argument("--epochs", type=int, default=usual.epochs)
    options.add_argument("--only", nargs="*", default=[], help="networks to train, of all four")
    given = options.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    params = Params(seed=given.seed, n_windows=given.windows, epochs=given.epochs)
    run(given.data, given.out, params, given.only)


if __name__ == "__main__":
    main()
