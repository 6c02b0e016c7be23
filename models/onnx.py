"""Runs detection networks; the only file that calls ONNX Runtime, whose errors become ModelError here.

On a CPU a batch gains nothing, so pictures run one by one: a lone picture on all threads of one session,
several pictures side by side with one thread each. On a GPU, pictures of one input shape run as one batch.

Memory stays flat because inputs come from few shapes: the longest side is always `side_px`, the other a
multiple of the stride, the batch a power of two. The arena grows to the largest of them and no further.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from detector.errors import ModelError
from detector.types import F32, Detections
from models.catalog import Card, cache_dir, cut_path
from models.cpus import usable_cpus
from models.fetch import sha256
from models.heads import read_head
from models.letterbox import PAD_GREY, Letterbox

log = logging.getLogger(__name__)

# Best first: what `auto` tries.
PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
NEEDS = {
    "tensorrt": "Install onnxruntime-gpu in place of onnxruntime, and TensorRT",
    "cuda": "Install onnxruntime-gpu in place of onnxruntime, with CUDA 12 and cuDNN 9",
    "openvino": "Install onnxruntime-openvino in place of onnxruntime",
    "cpu": "Install onnxruntime",
}
BATCHING = frozenset({"tensorrt", "cuda"})
TYPES: dict[str, type[np.generic]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}

# ONNX Runtime's errors have no common parent.
ORT_ERRORS: tuple[type[Exception], ...] = tuple(
    error for error in vars(ort_errors).values() if isinstance(error, type) and issubclass(error, Exception)
)


class Picture(Protocol):
    """An upright picture that can give itself in any size."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    def rgb(self, width: int, height: int) -> NDArray[np.uint8]:
        """The whole picture resized (not cropped) to (height, width, 3), R G B 0-255."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorOptions:
    """How a network is run on this machine; what is 0 comes from the machine or the card."""

    provider: str = "auto"  # auto, or a key of PROVIDERS
    threads: int = 0  # 0: all that this process may use
    side_px: int = 0  # longest input side; 0: the card's. Ignored by a file of fixed size
    min_score: float = 0.0  # 0-1; 0: the card's


class OnnxDetector:
    """One network, loaded once and shared by all cameras. `detect` is called from one thread at a time.

    Where `cut_path` of the file exists, that form is run: the same detections for less time.

    `.provider` is what runs (a key of PROVIDERS, read back from ONNX Runtime), `.model_sha256` the file.
    """

    def __init__(self, card: Card, path: Path, options: DetectorOptions) -> None:
        """Load the network and try it with a blank picture. Raises ModelError naming the file."""
        self.card, self._path = card, path
        self._threads = options.threads or usable_cpus()
        check_file(path)
        self.model_sha256 = sha256(path)
        cut = cut_path(path, self.model_sha256)
        path = cut if cut.is_file() else path
        self.provider, self._session = open_session(path, options.provider, self._threads)
        entry, self._dtype = _check_input(self._session, str(path))
        batch, _, height, width = entry.shape
        self._fixed = (width, height) if isinstance(width, int) and isinstance(height, int) else None
        self._input = entry.name
        self._side_px = options.side_px or card.side_px
        self._batching = self.provider in BATCHING and not isinstance(batch, int)
        self._pool = ThreadPoolExecutor(self._threads, "detect")
        self._mine = threading.local()
        self._narrow = self._session
        if self._threads > 1 and not self._batching:
            _, self._narrow = open_session(path, self.provider, 1)
        box = self._letterbox(self._side_px, self._side_px)
        outputs = self._run(self._session, np.zeros((1, 3, box.input_height, box.input_width), self._dtype))
        metadata = self._session.get_modelmeta().custom_metadata_map
        self._head = read_head(
            [output.shape for output in outputs],
            metadata,
            card,
            options.min_score or card.min_score,
            str(path),
        )
        log.info(
            "network loaded network=%s provider=%s threads=%d sha256=%s layout=%r",
            card.name, self.provider, self._threads, self.model_sha256, self._head.layout.value,
        )  # fmt: skip

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        """What is seen in each picture, in their order, in px of that picture. Raises ModelError."""
        if self._batching:
            return self._detect_batches(pictures)
        if len(pictures) == 1:
            return [self._detect_one(self._session, pictures[0])]
        return list(self._pool.map(lambda picture: self._detect_one(self._narrow, picture), pictures))

    def _detect_one(self, session: ort.InferenceSession, picture: Picture) -> Detections:
        box = self._letterbox(picture.width, picture.height)
        batch = self._buffer(box)
        _place(picture.rgb(box.width, box.height), box, batch[0])
        return self._head.decode([output[0] for output in self._run(session, batch)], box)

    def _detect_batches(self, pictures: Sequence[Picture]) -> list[Detections]:
        boxes = [self._letterbox(picture.width, picture.height) for picture in pictures]
        shapes: dict[tuple[int, int], list[int]] = defaultdict(list)
        for n, box in enumerate(boxes):
            shapes[box.input_height, box.input_width].append(n)
        found = [Detections.empty()] * len(pictures)
        for shape, members in shapes.items():
            batch = np.zeros((1 << (len(members) - 1).bit_length(), 3, *shape), self._dtype)

            def fill(row: int, n: int, batch: NDArray[Any] = batch) -> None:
                _place(pictures[n].rgb(boxes[n].width, boxes[n].height), boxes[n], batch[row])

            list(self._pool.map(fill, range(len(members)), members))
            outputs = self._run(self._session, batch)
            for row, n in enumerate(members):
                found[n] = self._head.decode([output[row] for output in outputs], boxes[n])
        return found

    def _letterbox(self, width: int, height: int) -> Letterbox:
        if self._fixed:
            return Letterbox.within(width, height, *self._fixed)
        return Letterbox.rectangle(width, height, self._side_px, self.card.stride)

    def _buffer(self, box: Letterbox) -> NDArray[Any]:
        """The calling thread's input (1, 3, h, w), not cleared, in memory that is kept from call to call."""
        wanted = 3 * box.input_height * box.input_width
        memory: NDArray[Any] | None = getattr(self._mine, "memory", None)
        if memory is None or memory.size < wanted:
            memory = self._mine.memory = np.empty(wanted, self._dtype)
        return memory[:wanted].reshape(1, 3, box.input_height, box.input_width)

    def _run(self, session: ort.InferenceSession, batch: NDArray[Any]) -> list[F32]:
        try:
            outputs: list[F32] = session.run(None, {self._input: batch})
        except ORT_ERRORS as error:
            raise ModelError(
                "the network failed on an input",
                where=str(self._path),
                got=f"{batch.shape}: {_first_line(error)}",
            ) from error
        return outputs


def _place(rgb: NDArray[np.uint8], box: Letterbox, target: NDArray[Any]) -> None:
    """Write a resized picture (h, w, 3) and its padding into an input (3, h, w) as 0-1."""
    right, bottom = box.left + box.width, box.top + box.height
    grey = PAD_GREY / 255
    target[:, : box.top] = target[:, bottom:] = grey
    target[:, :, : box.left] = target[:, :, right:] = grey
    inner = target[:, box.top : bottom, box.left : right]
    planes = np.ascontiguousarray(
        rgb.transpose(2, 0, 1)
    )  # first by bytes: the product then runs along memory
    np.multiply(planes, target.dtype.type(1 / 255), out=inner, dtype=target.dtype)


def open_session(path: Path, provider: str, threads: int) -> tuple[str, ort.InferenceSession]:
    """A session on the provider that was asked for, or for `auto` on the best that starts."""
    if provider not in {"auto", *PROVIDERS}:
        raise ModelError(
            "no such provider", where="provider", wanted=f"auto, {', '.join(PROVIDERS)}", got=provider
        )
    present = ort.get_available_providers()
    for name in PROVIDERS if provider == "auto" else (provider,):
        if PROVIDERS[name] in present:
            session = _session(path, name, threads)
            if session.get_providers()[0] == PROVIDERS[name]:
                return name, session
            log.warning(
                "provider present but does not start provider=%s active=%s", name, session.get_providers()
            )
    have = ", ".join(name for name, theirs in PROVIDERS.items() if theirs in present)
    raise ModelError(
        "the provider does not start here", where="provider", wanted=provider, got=f"usable: {have}",
        todo=NEEDS.get(provider, NEEDS["cpu"]),
    )  # fmt: skip


def _session(path: Path, provider: str, threads: int) -> ort.InferenceSession:
    settings = ort.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    settings.log_severity_level = 3
    # Waiting threads sleep: the processors are also wanted for decoding other cameras' pictures.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted: list[Any] = [PROVIDERS[provider]]
    if provider == "tensorrt":
        cache = cache_dir() / "tensorrt"
        cache.mkdir(parents=True, exist_ok=True)
        engines = {
            "trt_fp16_enable": True,
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(cache),
        }
        wanted = [(PROVIDERS["tensorrt"], engines), PROVIDERS["cuda"]]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a provider that does not start is read back, not warned about
            return ort.InferenceSession(str(path), settings, providers=wanted)
    except ORT_ERRORS as error:
        raise ModelError(
            "the network cannot be loaded",
            where=str(path),
            wanted=f"an ONNX file that ONNX Runtime {ort.__version__} reads",
            got=_first_line(error),
            todo="Export it again: watchpost models export",
        ) from error


def check_file(path: Path) -> None:
    """Raises ModelError when there is no file, or nothing in it."""
    size = path.stat().st_size if path.is_file() else -1
    if size <= 0:
        raise ModelError(
            "the network file is missing" if size < 0 else "the network file is empty",
            where=str(path), wanted="an ONNX file", got="nothing", todo="Run: watchpost models export",
        )  # fmt: skip


def _check_input(session: ort.InferenceSession, where: str) -> tuple[Any, type[np.generic]]:
    """The network's one input and its number type."""
    inputs = session.get_inputs()
    found = ", ".join(f"{entry.name} {entry.type} {entry.shape}" for entry in inputs)
    entry = inputs[0]
    if len(inputs) != 1 or len(entry.shape) != 4 or entry.shape[1] != 3 or entry.type not in TYPES:
        wanted = "one input (batch, 3, height, width) of float or float16"
        raise ModelError("the network takes other inputs", where=where, wanted=wanted, got=found)
    return entry, TYPES[entry.type]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
