"""Laws of two streams: the small one is judged, the large one is kept, on one clock; losing it costs only clips."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from uuid import UUID

import av
import pytest
from support.reading import LONG_S, live_camera

from api.schemas import CameraState
from benchmarks.rtsp import GstServer, missing
from streams.address import address_of
from streams.clips import write_clip
from streams.feed import Clock
from streams.flow import Board, Pipe, Stage
from streams.mainstream import MainStream
from streams.reader import Outside, Reader
from streams.recorder import ClipRequest, Cut, PacketRing, Recorder
from streams.source import open_source

WHY_NOT = missing()
needs_gst = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
LARGE = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=15/1"
    " ! x264enc tune=zerolatency key-int-max=15 ! rtph264pay name=pay0 pt=96 )"
)


class Camera:
    """A camera with two streams of a real server, its reader and its recorder."""

    def __init__(self, small: str, large: str) -> None:
        self.requests: Pipe[ClipRequest] = Pipe(8)
        self.cuts: Pipe[Cut] = Pipe(8)
        recorder = Recorder(PacketRing(30.0), self.requests, self.cuts, threading.Event(), "gate")
        self.sink = MainStream(
            "gate", address_of(large, "", "", Path()), recorder, Clock(), open_source, lambda: 0.0
        )
        self.board = Board()
        self.reader = Reader(live_camera(small), self.board, self.sink, lambda _: None, Outside())
        self.stage = Stage("gate", self.reader.run, on_death=lambda *_: None)
        self.stage.start()

    def wait_t(self, t: float) -> None:
        deadline = time.monotonic() + LONG_S
        while self.reader.health.t < t:
            assert time.monotonic() < deadline, self.reader.health
            self.board.take(8, 0.1)

    def cut(self, from_t: float, until_t: float) -> Cut:
        request = ClipRequest(UUID(int=1), "gate", 0, from_t, until_t)
        self.requests.put(request, threading.Event())
        deadline = time.monotonic() + LONG_S
        while (cut := self.cuts.get(0.1)) is None:
            assert time.monotonic() < deadline
            self.board.take(8, 0.0)
        return cut

    def close(self) -> None:
        assert self.stage.stop(LONG_S)
        self.sink.close()


@pytest.mark.rtsp
@needs_gst
def test_the_large_stream_is_kept_on_the_clock_of_the_small_one(tmp_path: Path) -> None:
    """The pictures judged are the small ones, the clip shows the large ones of the same seconds."""
    with GstServer() as small, GstServer(launch=LARGE) as large:
        camera = Camera(small.url, large.url)
        camera.wait_t(14.0)
        cut = camera.cut(10.0, 12.0)
        assert camera.reader.health.width == 320
        camera.close()
    assert not isinstance(cut.found, str), cut.found
    codec, packets = cut.found
    span = write_clip(tmp_path / "a.mp4", codec, packets, 10.0)
    assert span.start_t <= 10.0 < span.start_t + 1.6, "from the keyframe before"
    assert span.start_t + span.duration_s >= 12.0
    with av.open(str(tmp_path / "a.mp4")) as clip:
        assert (clip.streams.video[0].width, clip.streams.video[0].height) == (640, 360)


@pytest.mark.rtsp
@needs_gst
def test_a_lost_large_stream_costs_clips_and_comes_back(tmp_path: Path) -> None:
    """Judging goes on; a clip asked for meanwhile says why there is none, a later one is whole."""
    with GstServer() as small:
        large = GstServer(launch=LARGE)
        try:
            camera = Camera(small.url, large.url)
            camera.wait_t(10.0)
            large.kill()
            camera.wait_t(14.0)
            early = camera.cut(7.0, 60.0)
            assert not isinstance(early.found, str), "what there was is still given"
            large = GstServer(port=large.port, launch=LARGE)
            deadline = time.monotonic() + LONG_S
            late: Cut | None = None
            while late is None or isinstance(late.found, str) or late.found[1][0].t < 14.0:
                assert time.monotonic() < deadline
                now_t = camera.reader.health.t
                camera.wait_t(now_t + 1.0)
                late = camera.cut(now_t, now_t + 0.5)
            assert camera.reader.health.state is CameraState.ONLINE
            assert camera.reader.health.n_connects == 1
            camera.close()
        finally:
            large.kill()


@pytest.mark.rtsp
@needs_gst
def test_a_large_stream_that_never_came_is_told_as_the_reason() -> None:
    """With the address it has, and no login."""
    with GstServer() as small:
        camera = Camera(small.url, "rtsp://u:s3cret@127.0.0.1:9/main")
        camera.wait_t(2.0)
        cut = camera.cut(0.5, 1.0)
        camera.close()
    assert isinstance(cut.found, str)
    assert "the evidence stream is offline" in cut.found
    assert "connection refused" in cut.found
    assert "s3cret" not in cut.found
