"""Frame: upright RGB without padding, whatever size, layout or direction the decoder gives."""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from support.footage import picture, write_video

from detector.types import Stamp
from streams.frame import Frame, quarter_turns, upright_size


def first_frame(path: Path) -> Frame:
    with av.open(str(path)) as source:
        video = next(source.decode(video=0))
    width, height = upright_size(video)
    return Frame(Stamp("gate", 0, 0, 0.0, datetime(2026, 3, 1, tzinfo=UTC), width, height), video)


def off_by(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [
        ("even.mp4", (160, 120), {}),
        ("odd.mp4", (162, 122), {}),  # no multiple of 16: rows are padded
        ("444.mp4", (133, 97), {"pix_fmt": "yuv444p"}),
        ("odd.avi", (133, 97), {"codec": "mjpeg", "pix_fmt": "yuvj444p"}),
    ],
)
def test_the_picture_is_the_one_that_was_filmed(
    tmp_path: Path, name: str, size: tuple[int, int], options: dict[str, str]
) -> None:
    """Odd and padded sizes are not sheared: every column is in its place, the last one too (ING-10)."""
    frame = first_frame(write_video(tmp_path / name, n=1, size=size, **options))
    pixels = frame.rgb(*size)
    assert (frame.width, frame.height) == size
    assert pixels.shape == (size[1], size[0], 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert off_by(pixels, picture(*size, 0)) < 8
    assert off_by(pixels[:, -1], picture(*size, 0)[:, -1]) < 12


@pytest.mark.parametrize(("rotation", "turns"), [(0, 0), (90, 1), (180, 2), (-90, 3), (270, 3)])
def test_a_turned_picture_is_handed_out_upright(tmp_path: Path, rotation: int, turns: int) -> None:
    """The display matrix of the file is applied in the direction it says, also to a scaled picture (ING-03)."""
    frame = first_frame(write_video(tmp_path / "turned.mp4", n=1, size=(160, 120), rotation=rotation))
    assert quarter_turns(frame.video) == turns
    upright = np.rot90(picture(160, 120, 0), turns)
    assert (frame.height, frame.width) == upright.shape[:2]
    assert off_by(frame.rgb(frame.width, frame.height), upright) < 8
    half = frame.rgb(frame.width // 2, frame.height // 2)
    assert half.shape == (frame.height // 2, frame.width // 2, 3)
    assert off_by(half, np.ascontiguousarray(upright[::2, ::2])) < 14


def test_scaling_averages_and_does_not_shift(tmp_path: Path) -> None:
    """A shrunk picture is the mean of what it covers, within the codec's loss."""
    frame = first_frame(write_video(tmp_path / "big.mp4", n=1, size=(320, 240)))
    small = frame.rgb(80, 60)
    mean = picture(320, 240, 0).reshape(60, 4, 80, 4, 3).mean(axis=(1, 3)).astype(np.uint8)
    assert off_by(small, mean) < 6


def test_the_snapshot_is_a_jpeg_of_the_upright_picture(tmp_path: Path) -> None:
    """`jpeg` gives the full upright picture, odd sizes too."""
    path = write_video(tmp_path / "odd.mp4", n=1, size=(133, 97), pix_fmt="yuv444p", rotation=90)
    frame = first_frame(path)
    image = Image.open(io.BytesIO(frame.jpeg()))
    assert (image.format, image.size) == ("JPEG", (97, 133))
    assert off_by(np.asarray(image), np.rot90(picture(133, 97, 0))) < 8
    assert len(frame.jpeg(quality=30)) < len(frame.jpeg(quality=95))


def test_threads_may_read_one_frame_at_once(tmp_path: Path) -> None:
    """Several threads that scale the same picture to many sizes get what one alone gets."""
    frame = first_frame(write_video(tmp_path / "one.mp4", n=1))
    sizes = [(40 + i, 30 + i) for i in range(40)]  # more than the scalers that are kept
    wanted = [frame.rgb(*size) for size in sizes]
    wrong: list[tuple[int, int]] = []

    def work() -> None:
        for size, pixels in zip(sizes, wanted, strict=True):
            if not np.array_equal(frame.rgb(*size), pixels):
                wrong.append(size)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []
