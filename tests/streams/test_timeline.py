"""Timeline: whatever a source says of time, stream seconds only go forward, or a new epoch says why not."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.timeline import Timeline, usable_fps

FPS = 10.0


class Stream:
    """Feeds a Timeline as a reader does: one picture per packet."""

    def __init__(self, *, live: bool = False, fps: float | None = FPS) -> None:
        self.line = Timeline()
        self.live, self.fps, self.whys = live, fps, []
        self.line.connect(live=live, fps=fps, arrival_s=100.0)

    def push(
        self, pts_s: float | None, arrival_s: float = 100.0, decode_s: float | None = None
    ) -> float | None:
        why = self.line.check(pts_s if decode_s is None else decode_s, arrival_s)
        if why:
            self.whys.append(why)
            self.line.begin(arrival_s)
        self.line.packet_t(pts_s, arrival_s)
        return self.line.frame_t(pts_s, arrival_s)


def test_time_starts_at_zero_and_follows_the_source() -> None:
    """Stream seconds are the source's own, counted from its first packet."""
    stream = Stream()
    assert [stream.push(1.4 + i / 10) for i in (0, 1, 2, 7)] == pytest.approx([0.0, 0.1, 0.2, 0.7])
    assert (stream.line.epoch, stream.line.estimated) == (0, False)


def test_a_file_without_times_is_counted() -> None:
    """Missing times in a file are counted at the declared rate and flagged."""
    stream = Stream(fps=15.0)
    assert [stream.push(None) for _ in range(4)] == pytest.approx([0, 1 / 15, 2 / 15, 3 / 15])
    assert stream.line.estimated


def test_a_camera_without_times_is_timed_by_arrival() -> None:
    """Missing times of a live stream are its arrivals."""
    stream = Stream(live=True)
    assert [stream.push(None, a) for a in (100.0, 100.3, 101.0)] == pytest.approx([0.0, 0.3, 1.0])


def test_a_first_picture_without_a_time_does_not_move_the_others() -> None:
    """As RTSP begins: no time at first, then a bunch at once; steps are the source's (ING-04)."""
    stream = Stream(live=True)
    times = [stream.push(pts, 100.0) for pts in (None, 0.1, 0.2, 0.3)]
    assert times == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_pictures_may_be_reordered() -> None:
    """With B-frames presentation times are not monotone in decoding order; nothing breaks and all agree."""
    line = Timeline()
    line.connect(live=False, fps=FPS, arrival_s=0.0)
    packets = [(0.0, -0.2), (0.3, -0.1), (0.1, 0.0), (0.2, 0.1), (0.6, 0.2), (0.4, 0.3), (0.5, 0.4)]
    assert [line.check(dts, 0.0) for _, dts in packets] == [""] * 7
    assert [line.packet_t(pts, 0.0) for pts, _ in packets] == pytest.approx([pts for pts, _ in packets])
    shown = [line.frame_t(t, 0.0) for t in sorted(pts for pts, _ in packets)]
    assert shown == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])


def test_a_small_step_back_leaves_the_picture_out() -> None:
    """A repeated or slightly earlier time is disorder: that picture is left out, the epoch goes on."""
    stream = Stream()
    assert [stream.push(t) for t in (0.0, 0.1, 0.1, 0.05, 0.2)] == [0.0, 0.1, None, None, 0.2]
    assert stream.line.epoch == 0


@pytest.mark.parametrize(("jump_s", "why"), [(-50.0, "back by 50.2 s"), (30.0, "forward by 29.8 s")])
def test_a_jump_begins_an_epoch_and_time_goes_on(jump_s: float, why: str) -> None:
    """A camera's clock that was set: a new epoch, and live time goes on by what has really passed."""
    stream = Stream(live=True)
    before = [stream.push(60 + i / 10, 100 + i / 10) for i in range(3)]
    after = [stream.push(60 + jump_s + i / 10, 100.5 + i / 10) for i in range(3)]
    assert stream.line.epoch == 1
    assert why in stream.whys[0]
    assert before + after == pytest.approx([0.0, 0.1, 0.2, 0.5, 0.6, 0.7])


def test_a_hole_in_a_file_is_believed_up_to_an_hour() -> None:
    """A recording that paused keeps its times, so that t is its place in it; a broken clock not."""
    paused = Stream()
    assert [paused.push(t) for t in (0.0, 0.1, 600.0)] == pytest.approx([0.0, 0.1, 600.0])
    broken = Stream()
    assert [broken.push(t) for t in (0.0, 0.1, 95_443.0)] == pytest.approx([0.0, 0.1, 0.2])
    assert (paused.line.epoch, broken.line.epoch) == (1, 1)


def test_times_that_stand_still_are_not_used_any_more() -> None:
    """A stream that says the same time for a second is counted from then on, in a new epoch."""
    stream = Stream()
    times = [stream.push(5.0) for _ in range(30)]
    kept = [t for t in times if t is not None]
    assert stream.whys == ["time stands still"]
    assert len(kept) > 15
    assert kept == sorted(set(kept))
    assert stream.line.estimated


def test_a_live_clock_at_another_rate_is_not_used_any_more() -> None:
    """Times that a demuxer made up at 25 a second for 10 pictures a second: after a minute arrival counts."""
    stream = Stream(live=True)
    for i in range(650):
        stream.push(i / 25, 100.0 + i / 10)
    assert stream.whys == ["its clock runs at 0.40 times ours"]
    assert stream.line.estimated
    a, b = stream.push(700 / 25, 165.0), stream.push(701 / 25, 165.5)
    assert a is not None
    assert b == pytest.approx(a + 0.5)


@pytest.mark.parametrize("burst_s", [0.0, 3.0, 10.0])
def test_a_live_clock_that_comes_in_bunches_is_used(burst_s: float) -> None:
    """What a server had in store comes at once, segments come ten seconds at a time: the rate is right."""
    stream = Stream(live=True)
    for i in range(3000):
        t = i / 10
        late = (t // burst_s + 1) * burst_s if burst_s else t
        stream.push(t, 100.0 + late)
    assert stream.whys == []


def test_times_that_are_not_the_sources_own_are_never_used() -> None:
    """From the first picture on."""
    line = Timeline()
    line.connect(live=True, fps=25.0, arrival_s=100.0, timed=False)
    assert line.check(0.04, 100.0) == ""
    line.packet_t(0.04, 100.0)
    first = line.frame_t(0.04, 100.0)
    line.packet_t(0.08, 101.0)
    second = line.frame_t(0.08, 101.0)
    assert first is not None
    assert second == pytest.approx(first + 1.0)
    assert line.estimated


def test_a_reconnect_and_a_loop_go_on_in_time() -> None:
    """Two epochs of a camera share no stream second; a live gap has its real length, a loop one period."""
    live = Stream(live=True)
    live.push(7.0, 100.0)
    live.line.connect(live=True, fps=FPS, arrival_s=160.0)
    assert live.push(0.0, 160.0) == pytest.approx(60.0)
    file = Stream()
    file.push(0.0)
    file.line.connect(live=False, fps=FPS, arrival_s=500.0)
    assert file.push(0.0) == pytest.approx(0.1)
    assert (live.line.epoch, file.line.epoch) == (1, 1)


@pytest.mark.parametrize("declared", [0.0, 0.0001, 2000.0, 180_000.0, math.nan, math.inf, -25.0, None])
def test_an_absurd_rate_is_not_used(declared: float | None) -> None:
    """Only 1-120 pictures a second can be true; the first such rate counts (ING-07)."""
    assert usable_fps(declared) is None
    assert usable_fps(declared, 15.0) == 15.0
    assert usable_fps(1.0, 120.0) == 1.0


odd_times = st.none() | st.floats(-1e5, 1e5) | st.floats(0, 5)


@given(st.booleans(), st.lists(st.tuples(odd_times, st.floats(0, 3)), max_size=80))
def test_time_only_goes_forward(live: bool, packets: list[tuple[float | None, float]]) -> None:
    """Whatever times come, those given out rise strictly over all epochs, and are finite."""
    stream, arrival_s, times = Stream(live=live), 100.0, []
    for pts, wait_s in packets:
        arrival_s += wait_s
        times.append(stream.push(pts, arrival_s))
    kept = [t for t in times if t is not None]
    assert all(a < b for a, b in pairwise(kept))
    assert all(math.isfinite(t) and t >= 0 for t in kept)
