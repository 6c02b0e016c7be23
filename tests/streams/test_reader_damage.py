"""Laws of what the reader shows: no picture that is broken, and none decoded for nobody."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path

import av
import numpy as np
import pytest
from support.footage import noise, write_ts, write_video
from support.reading import Run, camera, run, times

from streams.address import Address
from streams.source import Source, open_source

FPS, GOP, N = 10, 10, 60


def luma(path: Path) -> dict[int, np.ndarray]:
    """A file's pictures by their number."""
    with av.open(str(path)) as source:
        frames = [frame.to_ndarray(format="gray").astype(int) for frame in source.decode(video=0)]
    return dict(enumerate(frames))


def without(source: Path, path: Path, lost: Collection[int]) -> Path:
    """The same stream in another container, without some of its packets."""
    with av.open(str(source)) as model, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(model.streams.video[0])
        for i, packet in enumerate(model.demux(video=0)):
            if packet.dts is not None and i not in lost:
                packet.stream = stream
                out.mux(packet)
    return path


def wrong_ones(done: Run, whole: Path) -> list[int]:
    """The numbers of shown pictures that are not those of the whole file."""
    truth, offset_s = luma(whole), done.frames[-1].stamp.t - (N - 1) / FPS
    wrong = []
    for frame in done.frames:
        number = round((frame.stamp.t - offset_s) * FPS)
        if np.abs(frame.video.to_ndarray(format="gray").astype(int) - truth[number]).mean() > 1.0:
            wrong.append(number)
    return wrong


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("lost", [[20], [23], [21, 22, 23], [24, 37], range(18, 32)])
def test_no_picture_built_on_a_lost_one_is_shown(
    tmp_path: Path, lost: Collection[int], b_frames: int
) -> None:
    """A lost packet leaves no mark on what the decoder makes of the rest (ING-12)."""
    whole = write_video(tmp_path / "a.mp4", n=N, fps=FPS, gop=GOP, b_frames=b_frames)
    done = run(camera(write_ts(whole, tmp_path / "a.ts", lambda i, d: None if i in lost else d))).finish()
    assert wrong_ones(done, whole) == []
    assert done.stamps[-1].t - done.stamps[-8].t == pytest.approx(0.7, abs=0.01), "the last group is whole"
    assert len(done.stamps) == done.reader.health.n_decoded - done.reader.health.n_corrupt


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("lost", [[20], [23], [21, 22, 23], range(15), range(18, 32)])
def test_no_hevc_picture_built_on_a_lost_one_is_shown(
    tmp_path: Path, lost: Collection[int], b_frames: int
) -> None:
    """Of H.265 the decoder itself leaves out what misses a reference; this notices if it ever does not (ING-12)."""
    whole = write_video(tmp_path / "a.mp4", n=N, fps=FPS, gop=GOP, codec="libx265", b_frames=b_frames)
    done = run(camera(without(whole, tmp_path / "a.ts", lost))).finish()
    assert wrong_ones(done, whole) == []
    assert len(done.stamps) > N - len(lost) - 2 * GOP
    assert done.stamps[-1].t - done.stamps[-8].t == pytest.approx(0.7, abs=0.01), "the last group is whole"


@pytest.mark.parametrize("seed", range(4))
def test_no_picture_built_on_a_damaged_one_is_shown(tmp_path: Path, seed: int) -> None:
    """A damaged packet spoils what follows up to the next keyframe; the camera stays online (ING-05, ING-12)."""
    whole = write_video(tmp_path / "a.mp4", n=N, fps=FPS, gop=GOP)
    damaged = range(22 + seed, 26 + seed)
    path = write_ts(whole, tmp_path / "a.ts", lambda i, d: noise(d, i + 100 * seed) if i in damaged else d)
    done = run(camera(path)).finish()
    assert wrong_ones(done, whole) == []
    assert {round(t * FPS) for t in times(done.stamps)} >= set(range(20)) | set(range(40, N))
    assert done.reader.health.n_decode_errors + done.reader.health.n_corrupt > 0


def test_a_start_between_keyframes_shows_whole_pictures_only(tmp_path: Path) -> None:
    """Whoever connects in the middle of a group waits for the next (ING-12)."""
    whole = write_video(tmp_path / "a.mp4", n=N, fps=FPS, gop=GOP)
    done = run(camera(write_ts(whole, tmp_path / "a.ts", lambda i, d: None if i < 15 else d))).finish()
    assert wrong_ones(done, whole) == []
    assert len(done.stamps) == 40


# ---------------------------------------------------------------- what is not decoded


def test_a_codec_whose_pictures_stand_alone_decodes_only_what_is_analysed(tmp_path: Path) -> None:
    """Motion JPEG at 10 a second, looked at twice a second: one in five is decoded, at the same times."""
    path = write_video(tmp_path / "a.avi", n=N, fps=FPS, codec="mjpeg", pix_fmt="yuvj420p")
    done = run(camera(path, analyse_fps=2.0)).finish()
    assert times(done.stamps) == [round(i / 2, 3) for i in range(12)]
    assert done.reader.health.n_decoded == 12
    assert len(done.sink.times()) == N, "all of it is kept for clips"


def test_pictures_that_nothing_refers_to_are_not_decoded_between_the_analysed(tmp_path: Path) -> None:
    """B-frames that are not due cost nothing, and what is analysed is the same."""
    path = write_video(tmp_path / "a.mp4", n=N, fps=FPS, b_frames=2)
    seldom = run(camera(path, analyse_fps=2.0)).finish()
    always = run(camera(path, analyse_fps=float("inf"))).finish()
    assert len(always.stamps) == N
    assert seldom.reader.health.n_decoded < N - 10
    steps = np.diff(times(seldom.stamps))
    assert steps.max() <= 0.6
    truth = {round(f.stamp.t, 3): f.video.to_ndarray(format="gray") for f in always.frames}
    for frame in seldom.frames:
        assert np.array_equal(frame.video.to_ndarray(format="gray"), truth[round(frame.stamp.t, 3)])


def test_a_burst_gives_more_pictures_and_leaves_the_usual_ones_where_they_were(tmp_path: Path) -> None:
    """While a pair is close: ten a second until it is over, and then the camera's own rate at once."""
    path = write_video(tmp_path / "a.mp4", n=N, fps=20, gop=GOP)
    asked = threading.Event()

    def wait_and_open(address: Address) -> Source:
        asked.wait()
        return open_source(address)

    running = run(camera(path, analyse_fps=1.0), open_source=wait_and_open)
    running.reader.burst(1.5)
    asked.set()
    seen = times(running.finish().stamps)
    assert seen == [round(i / 10, 3) for i in range(15)] + [2.0]
