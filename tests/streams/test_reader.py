"""Reader: pictures with true times, a state with a reason, retries that wait, and a stop that never does."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import av
import pytest
from support.footage import join, noise, write_raw, write_ts, write_video
from support.reading import NOON, FakeTime, Run, Sink, camera, live_camera, run, times

from api.schemas import CameraState
from benchmarks.rtsp import GstServer, faketime_library, missing, silent_camera
from detector.errors import SourceUnreachable, SourceUnreadable, Trouble
from streams.address import Address, address_of
from streams.config import Camera
from streams.feed import Clock, Feed
from streams.link import Limits
from streams.reader import STOPPED, Outside
from streams.source import Source, VideoPacket, open_source

WHY_NOT = missing()
needs_gst = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

# ---------------------------------------------------------------- files


def test_every_picture_of_a_file_in_order(tmp_path: Path) -> None:
    """A fast file: each picture once with its own time, each packet to the recorder, then it has ended."""
    done = run(camera(write_video(tmp_path / "a.mp4", n=25, fps=10, b_frames=2))).finish()
    assert times(done.stamps) == [round(i / 10, 3) for i in range(25)]
    assert [s.index for s in done.stamps] == list(range(25))
    assert {(s.epoch, s.width, s.height) for s in done.stamps} == {(0, 160, 120)}
    assert done.stamps[-1].at == NOON + timedelta(seconds=2.4)
    assert sorted(done.sink.times()) == times(done.stamps)
    assert done.sink.names() == ["begin", "add", "end"]
    assert [(h.state, h.reason) for h in done.states] == [
        (CameraState.ONLINE, ""),
        (CameraState.ENDED, "the file has ended"),
    ]
    health = done.reader.health
    assert (health.n_decoded, health.n_decode_errors, health.n_connects) == (25, 0, 1)
    assert health.t == pytest.approx(2.4)


@pytest.mark.parametrize(
    ("fps", "analyse_fps", "wanted"),
    [
        (15, 5.0, [0.0, 0.2, 0.4, 0.6, 0.8]),
        (10, 7.0, [0.0, 0.2, 0.3, 0.5, 0.6, 0.8, 0.9]),
        (10, 2.0, [0.0, 0.5]),
    ],
)
def test_pictures_are_sampled_by_stream_time(
    tmp_path: Path, fps: int, analyse_fps: float, wanted: list[float]
) -> None:
    """`analyse_fps` pictures a second are shown, evenly, and all are decoded."""
    path = write_video(tmp_path / "a.mp4", n=fps, fps=fps)
    done = run(camera(path, analyse_fps=analyse_fps)).finish()
    assert times(done.stamps) == pytest.approx(wanted, abs=0.002)
    assert done.reader.health.n_decoded == fps


@pytest.mark.parametrize("b_frames", [0, 1, 2, 3])
def test_a_raw_streams_pictures_are_timed_as_they_are_shown(tmp_path: Path, b_frames: int) -> None:
    """Packets are counted in the order of showing, not of decoding: clips of B-frames are right too (ING-04)."""
    film = write_video(tmp_path / "a.mp4", n=40, fps=10, gop=12, b_frames=b_frames)
    done = run(camera(write_raw(film, tmp_path / "a.h264"))).finish()
    period_s = done.stamps[1].t
    assert times(done.stamps) == pytest.approx([i * period_s for i in range(40)], abs=0.002)
    with av.open(str(film)) as model:
        shown = [float(p.pts * p.time_base) for p in model.demux(video=0) if p.size]
    order = sorted(range(40), key=shown.__getitem__)
    assert sorted(range(40), key=done.sink.times().__getitem__) == order
    assert sorted(done.sink.times()) == pytest.approx(times(done.stamps), abs=0.002)
    assert done.reader.health.estimated_time


def test_a_pause_in_a_file_does_not_bring_extra_pictures(tmp_path: Path) -> None:
    """After a hole sampling starts at the first picture, not with those it has missed."""
    path = write_video(tmp_path / "a.mp4", times_s=[0, 0.1, 0.2, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5])
    assert times(run(camera(path, analyse_fps=2.0)).finish().stamps) == [0.0, 3.0, 3.5]


def test_a_realtime_file_is_paced_by_its_own_times(tmp_path: Path) -> None:
    """The waits add up to the footage's length; a machine that falls behind does not hurry afterwards."""
    at_ease = FakeTime()
    path = write_video(tmp_path / "a.mp4", times_s=[0, 0.1, 0.5, 0.6, 2.0])
    run(camera(path, pace="realtime"), clock=at_ease.clock()).finish()
    assert at_ease.s == pytest.approx(1002.0, abs=0.5)  # and the wait for the file to be given back
    slow = FakeTime()

    class Slow(Source):
        def decode(self, packet: VideoPacket) -> list[av.VideoFrame]:
            slow.s += 5.0
            return super().decode(packet)

    def open_slow(address: Address) -> Source:
        source = open_source(address)
        source.__class__ = Slow
        return source

    run(camera(path, pace="realtime"), clock=slow.clock(), open_source=open_slow).finish()
    assert sum(wait for wait in slow.waits if wait != 0.2) < 0.1


def test_a_loop_goes_on_in_time_as_a_new_epoch(tmp_path: Path) -> None:
    """The second round follows the first by one period, in an epoch of its own, and a stop ends it."""
    path = write_video(tmp_path / "a.mp4", n=5, fps=10)
    running = run(camera(path, loop=True))
    running.take_until(lambda: len(running.stamps) >= 12)
    running.stop()
    assert times(running.stamps[:12]) == [round(i / 10, 3) for i in range(12)]
    assert [s.epoch for s in running.stamps[:12]] == [0] * 5 + [1] * 5 + [2] * 2
    assert [h.state for h in running.states] == [CameraState.ONLINE, CameraState.STOPPING, CameraState.ENDED]
    assert running.states[-1].reason == STOPPED


def test_a_new_size_begins_a_new_epoch_with_its_first_packet(tmp_path: Path) -> None:
    """The stretch of the old size is ended before the packet that shows the new one is recorded."""
    parts = [
        write_raw(write_video(tmp_path / f"{w}.mp4", n=10, size=(w, 120)), tmp_path / f"{w}.h264")
        for w in (160, 320)
    ]
    done = run(camera(join(parts, tmp_path / "both.h264"))).finish()
    assert [(s.epoch, s.width) for s in done.stamps] == [(0, 160)] * 10 + [(1, 320)] * 10
    assert done.sink.names() == ["begin", "add", "end", "begin", "add", "end"]
    second = done.sink.calls.index(("begin", 1, "h264"))
    assert second == 12
    assert done.sink.calls[second + 1][2], "the first packet of the new epoch is its keyframe"
    assert done.sink.calls[second + 1][1] == pytest.approx(done.stamps[10].t, abs=0.002)
    assert times(done.stamps) == sorted(set(times(done.stamps)))


def test_a_file_without_times_is_counted_and_says_so(tmp_path: Path) -> None:
    """A raw stream: times rise by a period, and the health says that they are estimated (ING-04)."""
    raw = write_raw(write_video(tmp_path / "a.mp4", n=12, fps=10), tmp_path / "a.h264")
    done = run(camera(raw)).finish()
    steps = {round(b - a, 3) for a, b in pairwise(times(done.stamps))}
    assert len(done.stamps) == 12
    assert len(steps) == 1
    assert done.reader.health.estimated_time


def test_a_turned_file_has_its_upright_size(tmp_path: Path) -> None:
    """Stamps tell the upright picture's size (ING-03)."""
    done = run(camera(write_video(tmp_path / "a.mp4", n=2, rotation=90))).finish()
    assert (done.stamps[0].width, done.stamps[0].height) == (120, 160)
    assert (done.reader.health.width, done.reader.health.height) == (120, 160)


def test_bad_packets_are_counted_and_damaged_pictures_not_analysed(tmp_path: Path) -> None:
    """The camera stays online, errors are counted, no damaged picture is shown, clean ones come again (ING-05)."""
    clean = write_video(tmp_path / "a.mp4", n=40, gop=10)
    damaged = range(13, 17)
    path = write_ts(clean, tmp_path / "a.ts", lambda i, d: noise(d, i) if i in damaged else d)
    done = run(camera(path)).finish()
    health = done.reader.health
    assert health.n_decode_errors >= 1
    assert health.n_corrupt >= 1
    assert len(done.stamps) == health.n_decoded - health.n_corrupt
    assert [h.state for h in done.states] == [CameraState.ONLINE, CameraState.ENDED]
    assert [t for t in times(done.stamps) if t >= 2.0] == [round(i / 10, 3) for i in range(20, 40)]


def test_a_file_of_which_nothing_can_be_decoded_is_unreadable(tmp_path: Path) -> None:
    """Zero pictures are an error, not an empty success; there is no retry, and the board is left."""
    path = write_ts(write_video(tmp_path / "a.mp4"), tmp_path / "a.ts", lambda i, d: noise(d, i))
    done = run(camera(path, loop=True)).finish()
    assert done.stamps == []
    assert done.reader.health.state is CameraState.OFFLINE
    assert "no picture in it can be decoded" in done.reader.health.reason
    assert done.reader.health.n_connects == 1


def test_a_missing_file_is_offline_and_not_tried_again(tmp_path: Path) -> None:
    """The reason names the file; a name made to mislead is shown harmless."""
    done = run(camera(tmp_path / "a\u202e4pm.mp4")).finish()
    health = done.reader.health
    assert health.state is CameraState.OFFLINE
    assert "no such file" in health.reason
    assert "a?4pm.mp4" in health.reason
    assert health.n_connects == 1
    assert done.sink.calls == []


# ---------------------------------------------------------------- cameras that misbehave


@dataclass
class Mischief:
    """Opens a file in place of a camera; each attempt fails, or its source misbehaves, as told."""

    path: Path
    faults: list[Exception | None]
    read: Callable[[Source], VideoPacket] = Source.read
    decode: Callable[..., list[av.VideoFrame]] = Source.decode

    def __call__(self, address: Address) -> Source:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        source = open_source(Address(str(self.path), str(self.path), False))
        source.address = address
        source.__class__ = type("Bad", (Source,), {"read": self.read, "decode": self.decode})
        return source


def test_failures_wait_longer_and_longer_until_a_picture_comes(tmp_path: Path) -> None:
    """1, 2, 4 s, offline with the reason; online by a picture; a live stream that ends is a failure."""
    fake = FakeTime()
    faults: list[Exception | None] = [SourceUnreachable("no data", where="cam")] * 3
    running = run(
        live_camera("rtsp://u:secret@cam/s"),
        clock=fake.clock(),
        open_source=Mischief(write_video(tmp_path / "a.mp4", n=5), faults),
    )
    running.wait_state(CameraState.ONLINE)
    running.wait_state(CameraState.OFFLINE, 2)
    running.stop()
    assert [wait for wait in fake.waits if wait != 0.2][:3] == [1.0, 2.0, 4.0]
    assert [h.state for h in running.states][:3] == [
        CameraState.OFFLINE,
        CameraState.ONLINE,
        CameraState.OFFLINE,
    ]
    assert running.states[0].reason == "cam: no data"
    assert "ended by the camera" in running.states[2].reason
    assert "secret" not in str(running.states)
    assert running.states[2].n_connects == 4


def test_a_live_camera_without_video_is_asked_again_after_a_minute(tmp_path: Path) -> None:
    """A camera may be set right; only files are given up."""
    fake = FakeTime()
    wrong: list[Exception | None] = [SourceUnreadable("no video in it", where="cam")] * 2
    opener = Mischief(write_video(tmp_path / "a.mp4", n=3), wrong)
    running = run(live_camera("rtsp://cam/s"), clock=fake.clock(), open_source=opener)
    running.wait_state(CameraState.ONLINE)
    running.stop()
    assert [wait for wait in fake.waits if wait != 0.2][:2] == [60.0, 60.0]


def test_a_jump_of_the_cameras_clock_is_a_new_epoch(tmp_path: Path) -> None:
    """Stream time goes on, the epoch grows, the recorder's stretch is ended."""

    def jumping(source: Source) -> VideoPacket:
        packet = Source.read(source)
        assert packet.pts is not None
        assert packet.dts is not None
        assert packet.time_base is not None
        if packet.pts * packet.time_base >= 1:
            packet.pts -= int(50 / packet.time_base)
            packet.dts -= int(50 / packet.time_base)
        return packet

    opener = Mischief(write_video(tmp_path / "a.mp4", n=20, fps=10), [], read=jumping)
    running = run(live_camera("rtsp://cam/s"), open_source=opener)
    running.take_until(lambda: len(running.stamps) >= 20)
    running.stop()
    assert [s.epoch for s in running.stamps[:20]] == [0] * 10 + [1] * 10
    assert times(running.stamps) == sorted(set(times(running.stamps)))
    assert running.sink.names()[:4] == ["begin", "add", "end", "begin"]


def test_a_new_size_in_mid_stream_keeps_the_streams_time(tmp_path: Path) -> None:
    """Where the source tells times, pictures and packets of the new epoch agree on them."""

    def growing(source: Source, packet: VideoPacket, *, wanted: bool) -> list[av.VideoFrame]:
        frames = Source.decode(source, packet)
        return [f.reformat(width=320) if f.time >= 1 else f for f in frames]

    opener = Mischief(write_video(tmp_path / "a.mp4", n=20, fps=10), [], decode=growing)
    running = run(live_camera("rtsp://cam/s"), open_source=opener)
    running.take_until(lambda: len(running.stamps) >= 20)
    running.stop()
    assert [(s.epoch, s.width) for s in running.stamps[:20]] == [(0, 160)] * 10 + [(1, 320)] * 10
    assert running.sink.times()[10:20] == pytest.approx(times(running.stamps[10:20]), abs=0.002)
    steps = [b.t - a.t for a, b in pairwise(running.stamps[10:20])]
    assert steps == pytest.approx([0.1] * 9)


def test_a_picture_whose_time_stands_still_is_left_out(tmp_path: Path) -> None:
    """A repeated picture is counted, and neither analysed nor numbered."""

    def stutter(source: Source, packet: VideoPacket, *, wanted: bool) -> list[av.VideoFrame]:
        return Source.decode(source, packet) * 2

    opener = Mischief(write_video(tmp_path / "a.mp4", n=8), [], decode=stutter)
    running = run(live_camera("rtsp://cam/s"), open_source=opener)
    offline = running.wait_state(CameraState.OFFLINE)
    running.stop()
    assert (offline.n_decoded, offline.n_untimed) == (8, 8)
    assert [s.index for s in running.stamps[:8]] == list(range(8))


def test_packets_without_pictures_are_not_online(tmp_path: Path) -> None:
    """Only a decoded picture makes a camera online; packets that give none end in "no picture"."""
    fake = FakeTime()

    def nothing(source: Source, packet: VideoPacket, *, wanted: bool) -> list[av.VideoFrame]:
        fake.s += 10.0
        return []

    opener = Mischief(write_video(tmp_path / "a.mp4", n=20), [], decode=nothing)
    running = run(live_camera("rtsp://cam/s"), clock=fake.clock(), open_source=opener)
    offline = running.wait_state(CameraState.OFFLINE)
    running.stop()
    assert "no picture" in offline.reason
    assert CameraState.ONLINE not in {h.state for h in running.states}


def test_a_fault_of_the_recorder_is_not_taken_for_the_cameras(tmp_path: Path) -> None:
    """What is not a SourceError ends the stage; the stretch is ended and the board left all the same."""

    class Broken(Sink):
        def tick(self) -> None:
            raise ZeroDivisionError("a fault")

    outside = Outside(clock=FakeTime().clock())
    broken = Run(camera(write_video(tmp_path / "a.mp4")), outside, Broken()).finish()
    assert [type(error) for error in broken.died] == [ZeroDivisionError]
    assert broken.sink.names()[-1] == "end"
    assert broken.reader.health.state is not CameraState.ENDED


def held() -> tuple[int, int, int]:
    """Threads, descriptors and resident kB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir())), pages * 4


def assert_level(counts: Sequence[tuple[int, int, int]], after: int) -> None:
    """From the attempt `after` on nothing grows but what the allocator needs for itself."""
    base, rest = counts[after], counts[after:]
    assert max(threads for threads, _, _ in rest) <= base[0] + 2
    assert max(files for _, files, _ in rest) <= base[1] + 2
    assert rest[-1][2] - base[2] < 5_000


def test_failed_attempts_leave_nothing_behind() -> None:
    """A camera that is off for 500 attempts costs no thread, no descriptor and no memory (ING-11)."""
    counts: list[tuple[int, int, int]] = []

    def opener(address: Address) -> Source:
        counts.append(held())
        return open_source(address)

    # Nobody listens there; a knock that says otherwise makes the waits short.
    running = run(live_camera("rtsp://127.0.0.1:9/s"), open_source=opener, knock=lambda _: True)
    running.take_until(lambda: len(counts) >= 500)
    running.stop()
    assert "connection refused" in running.states[0].reason
    assert_level(counts, 50)
    assert [(h.state, h.trouble) for h in running.states] == [
        (CameraState.OFFLINE, Trouble.REFUSED),  # said once
        (CameraState.STOPPING, Trouble.REFUSED),
        (CameraState.ENDED, Trouble.NONE),
    ]
    assert "stopped; before that" in running.states[-1].reason


def test_connections_that_open_and_break_leave_nothing_behind(tmp_path: Path) -> None:
    """Fifty times a picture and then a lost connection: decoders and packets are given back (ING-11)."""
    counts: list[tuple[int, int, int]] = []
    opener = Mischief(write_video(tmp_path / "a.mp4", n=5), [])

    def counted(address: Address) -> Source:
        counts.append(held())
        return opener(address)

    running = run(live_camera("rtsp://cam/s"), open_source=counted)
    running.take_until(lambda: len(counts) >= 60)
    running.stop()
    assert {h.trouble for h in running.states if h.state is CameraState.OFFLINE} == {Trouble.LOST}
    assert_level(counts, 10)


def test_a_lost_connection_is_freed_at_once(tmp_path: Path) -> None:
    """Its packets and decoder do not wait for the garbage collector, which seldom comes (ING-11)."""
    film, opened = write_video(tmp_path / "a.mp4", n=5), list[int]()

    def opener(address: Address) -> Source:
        opened.append(len(opened))
        source = open_source(Address(str(film), str(film), False))
        source.address = address
        return source

    running = run(live_camera("rtsp://cam/s"), open_source=opener)
    running.take_until(lambda: len(opened) >= 5)
    gc.collect()
    gc.disable()
    try:
        running.take_until(lambda: len(opened) >= 30)
        running.stop()
        left = [type(one).__name__ for one in gc.get_objects() if isinstance(one, Feed | Source)]
    finally:
        gc.enable()
    assert len(left) <= 4, left


def test_a_refused_login_is_asked_again_only_after_minutes() -> None:
    """A camera locks the account of one who knocks too often; the reason says what to check."""
    fake = FakeTime()
    refused = SourceUnreachable("the login was refused", trouble=Trouble.AUTH_FAILED, where="cam")
    opener = Mischief(Path("none"), [refused] * 50)
    running = run(live_camera("rtsp://cam/s"), clock=fake.clock(), open_source=opener)
    running.take_until(lambda: len([wait for wait in fake.waits if wait != 0.2]) >= 4)
    running.stop()
    assert [wait for wait in fake.waits if wait != 0.2][:4] == [300.0] * 4
    assert running.states[0].trouble is Trouble.AUTH_FAILED


@pytest.mark.parametrize("until_play", [False, True])
def test_a_silent_camera_is_offline_with_no_data_and_does_not_hold_up_a_stop(until_play: bool) -> None:
    """Says nothing, or plays nothing: offline within the limit, and a stop in mid-attempt is quick (ING-01)."""
    with silent_camera(until_play=until_play) as (url, requests):
        running = run(live_camera(url), clock=Clock(), limits=Limits(silence_s=0.5))
        offline = running.wait_state(CameraState.OFFLINE)
        assert "no data" in offline.reason
        assert requests
        assert running.stop() < 2.0
        assert CameraState.ONLINE not in {h.state for h in running.states}


def test_a_stop_while_opening_is_quick() -> None:
    """With an open in flight the stop does not wait for it."""
    with silent_camera(until_play=False) as (url, requests):
        running = run(live_camera(url), clock=Clock())
        running.take_until(lambda: bool(requests))
        assert running.stop() < 2.0
        assert [h.state for h in running.states] == [CameraState.STOPPING, CameraState.ENDED]


# ---------------------------------------------------------------- a real camera


@pytest.mark.rtsp
@needs_gst
def test_a_camera_that_dies_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    """Killed: offline within 10 s. Started again: back within one back-off, later in time, in a new epoch (ING-06)."""
    caplog.set_level(logging.DEBUG)
    login = ("u", "s3cret@")
    server = GstServer(login=login)
    try:
        told = Camera(
            id="gate", name="Gate", address=address_of(server.url, *login, Path()), analyse_fps=60.0
        )
        running = run(told, clock=Clock())
        running.wait_state(CameraState.ONLINE)
        running.take_until(lambda: len(running.stamps) >= 20)
        server.kill()
        killed_s = time.monotonic()
        offline = running.wait_state(CameraState.OFFLINE)
        assert time.monotonic() - killed_s < 10.0
        server = GstServer(port=server.port, login=login)
        running.wait_state(CameraState.ONLINE, 2)
        n_before = len(running.stamps)
        running.take_until(lambda: len(running.stamps) > n_before)
        assert running.stop() < 5.0
    finally:
        server.kill()
    assert offline.reason
    first = [s for s in running.stamps if s.epoch == 0]
    second = [s for s in running.stamps if s.epoch > 0]
    assert first
    assert second
    assert times(running.stamps) == sorted(set(times(running.stamps)))
    gap_s = second[0].t - first[-1].t
    assert 0.5 < gap_s < 15.0, "the time that passed is kept"
    assert abs((second[0].at - first[-1].at).total_seconds() - gap_s) < 1.0
    steps = [b.t - a.t for a, b in pairwise(first[5:])]
    assert max(steps) < 0.2
    for secret in ("s3cret", "u:s3"):
        assert secret not in caplog.text
        assert secret not in str(running.states)


@pytest.mark.rtsp
@needs_gst
@pytest.mark.skipif(not faketime_library(), reason="faketime is not installed")
@pytest.mark.parametrize("clock", ["@1970-01-02 00:00:00", "@2038-01-19 03:14:05"])
def test_a_cameras_clock_is_noted_and_never_used(clock: str, caplog: pytest.LogCaptureFixture) -> None:
    """At 1970 or over the end of 2038: pictures carry the host's time, the offset is told (ING-13)."""
    with GstServer(clock=clock) as server:
        running = run(live_camera(server.url), clock=Clock())
        running.take_until(lambda: running.reader.health.clock_offset_s is not None)
        running.take_until(lambda: len(running.stamps) > 60)
        running.stop()
    now = datetime.now(UTC)
    assert all(now - timedelta(minutes=2) < stamp.at <= now for stamp in running.stamps)
    assert times(running.stamps) == sorted(set(times(running.stamps)))
    assert {stamp.epoch for stamp in running.stamps} == {0}
    # GStreamer's sender reports stop at the end of the first NTP era.
    wrong = min(datetime.fromisoformat(clock[1:] + "+00:00"), datetime(2036, 2, 7, 6, 28, 16, tzinfo=UTC))
    assert running.reader.health.clock_offset_s == pytest.approx((wrong - now).total_seconds(), abs=120)
    assert "the camera's clock is wrong" in caplog.text
