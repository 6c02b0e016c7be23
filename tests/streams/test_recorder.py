"""Laws of the ring and of clips, with real codecs: what was asked for is shown, at its time, by a browser."""

from __future__ import annotations

import gc
import itertools
import json
import os
import shutil
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.alerts import alert_in
from support.barfilm import number_of, top_boxes, turn, write_film
from support.footage import write_raw

from benchmarks import rtsp
from detector.errors import SourceEnded, SourceUnreadable, StorageError
from streams.address import address_of
from streams.clips import Codec, Kept, check_encoder, write_clip
from streams.config import parse_site
from streams.evidence import Folder
from streams.flow import Board, Pipe
from streams.outbox import Outbox, What
from streams.reader import Reader
from streams.recorder import ClipRequest, ClipWriter, Cut, PacketRing, Recorder, shortfall
from streams.source import open_source

EPOCH_T = 100.0  # stream second of the first picture of a fed file


class Rig:
    """A recorder that is fed from files, and what it has cut."""

    def __init__(self, keep_s=60.0, max_bytes=10_000_000, cuts=100, **more):
        self.requests = Pipe(100)
        self.cuts = Pipe(cuts)
        self.ring = PacketRing(keep_s, max_bytes)
        self.abandon = threading.Event()
        self.recorder = Recorder(self.ring, self.requests, self.cuts, self.abandon, "yard", **more)
        self.epoch = -1

    def ask(self, from_t, until_t, epoch=0):
        request = ClipRequest(uuid4(), "yard", epoch, EPOCH_T + from_t, EPOCH_T + until_t)
        self.requests.put(request, self.abandon)
        return request

    def feed(self, path, base_t=EPOCH_T, keep_open=False):
        """Give the recorder all packets of a file as a reader does, then free the source."""
        self.epoch += 1
        with av.open(str(path)) as source:
            stream = source.streams.video[0]
            self.recorder.begin(stream, self.epoch)
            for packet in source.demux(stream):
                if packet.size:
                    pts = packet.dts if packet.pts is None else packet.pts
                    self.recorder.add(packet, base_t + float(pts * packet.time_base), packet.is_keyframe)
                    self.recorder.tick()
            if not keep_open:
                self.recorder.end()

    def cut(self):
        cut = self.cuts.get(0.0)
        assert cut is not None, "nothing was cut"
        return cut


def clip_of(cut, folder):
    codec, packets = cut.found
    path = folder / f"{cut.request.alert_id}.mp4"
    return path, write_clip(path, codec, packets, cut.request.from_t)


def shown(path):
    """Time (s), number and upright picture of every picture that a player shows."""
    with av.open(str(path)) as clip:
        return [(frame.time, frame) for frame in clip.decode(video=0)]


def numbers(path):
    return [number_of(frame.to_ndarray(format="rgb24")) for _, frame in shown(path)]


def probe(path):
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not here")
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


def assert_browser_plays(path, width, height):
    """H.264, 8 bit 4:2:0, even size, no sound, index in front, first picture a keyframe at 0."""
    boxes = top_boxes(path)
    assert boxes.index("moov") < boxes.index("mdat")
    streams = probe(path)["streams"]
    assert [(s["codec_name"], s["pix_fmt"], s["width"], s["height"]) for s in streams] == [
        ("h264", "yuv420p", width, height)
    ]
    frames = shown(path)
    assert frames[0][0] == 0.0
    assert frames[0][1].key_frame


@pytest.mark.parametrize("b_frames", [0, 2])
def test_h264_is_remuxed_from_the_keyframe_before_the_start(tmp_path, b_frames):
    """Asked for 3.5-6.5 s with a keyframe each second, the clip shows 3.0 to at least 6.5 s."""
    rig = Rig()
    rig.ask(3.5, 6.5)
    rig.feed(write_film(tmp_path / "in.mp4", 100, b_frames=b_frames))
    path, span = clip_of(rig.cut(), tmp_path)
    assert_browser_plays(path, 448, 96)
    assert span.start_t == pytest.approx(EPOCH_T + 3.0)
    found = numbers(path)
    assert found[:36] == list(range(30, 66))
    assert found[-1] <= 69
    assert [round(t, 3) for t, _ in shown(path)] == [round((n - 30) / 10, 3) for n in found]
    assert span.duration_s == pytest.approx(shown(path)[-1][0] + 0.1, abs=0.01)
    assert float(probe(path)["streams"][0]["duration"]) == pytest.approx(
        span.duration_s, abs=0.01 + b_frames / 10
    )


def test_a_clip_is_cut_as_soon_as_its_end_has_come(tmp_path):
    """The reader's thread cuts when the newest packet reaches the end, not before and not only at the end."""
    rig = Rig()
    rig.ask(2.0, 5.0)
    source = write_film(tmp_path / "in.mp4", 100)
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        rig.recorder.begin(stream, 0)
        for n, packet in enumerate(p for p in container.demux(stream) if p.size):
            rig.recorder.add(packet, EPOCH_T + n / 10, packet.is_keyframe)
            rig.recorder.tick()
            assert len(rig.cuts) == (n >= 50)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "size"),
    [
        ("in.avi", "msmpeg4", "yuv420p", (448, 96)),
        ("in.mp4", "libx265", "yuv420p", (448, 96)),
        ("in.mp4", "libx264", "yuv444p", (333, 247)),
        ("in.avi", "mjpeg", "yuvj444p", (333, 247)),
        ("in.mkv", "libvpx", "yuv420p", (448, 96)),
        ("in.mp4", "mpeg4", "yuv420p", (630, 474)),
    ],
)
def test_what_browsers_do_not_play_becomes_h264(tmp_path, name, codec, pix_fmt, size):
    """Any codec, odd size or pixel format: 8 bit 4:2:0 H.264 of even size, exactly the wanted seconds (ING-10)."""
    rig = Rig()
    rig.ask(1.5, 4.5)
    rig.feed(write_film(tmp_path / name, 60, codec=codec, pix_fmt=pix_fmt, size=size))
    path, span = clip_of(rig.cut(), tmp_path)
    assert_browser_plays(path, size[0] & ~1, size[1] & ~1)
    found = numbers(path)
    assert found[0] == 15
    assert 45 <= found[-1] <= 47
    assert found == list(range(15, found[-1] + 1))
    assert span.start_t == pytest.approx(EPOCH_T + 1.5, abs=0.02)
    assert span.duration_s == pytest.approx(len(found) / 10, abs=0.05)


def test_a_long_group_does_not_break_the_start(tmp_path):
    """With a keyframe in 20 s a transcoded clip still begins where it was asked to, a remuxed one earlier (CLP-05)."""
    for name, codec, first in (("in.avi", "msmpeg4", 120), ("in.mp4", "libx264", 0)):
        rig = Rig(keep_s=5.0)
        rig.ask(12.0, 14.0)
        rig.feed(write_film(tmp_path / name, 160, codec=codec, gop=250, size=(1024, 64)))
        path, span = clip_of(rig.cut(), tmp_path)
        assert numbers(path)[0] == first
        assert span.start_t == pytest.approx(EPOCH_T + first / 10, abs=0.02)


def test_a_transcoded_clip_can_be_sought_to_the_second(tmp_path):
    """There is a keyframe at least every 1.1 s."""
    rig = Rig()
    rig.ask(0.0, 5.0)
    rig.feed(write_film(tmp_path / "in.avi", 60, codec="mjpeg", pix_fmt="yuvj420p"))
    path, _ = clip_of(rig.cut(), tmp_path)
    keys = [t for t, frame in shown(path) if frame.key_frame]
    assert max(b - a for a, b in itertools.pairwise(keys)) <= 1.1


@pytest.mark.parametrize("b_frames", [0, 2, 4])
def test_the_last_pictures_of_a_transcoded_clip_are_not_lost(tmp_path, b_frames):
    """Pictures that a decoder gives only at its end, as with B-frames, are in the clip at their time."""
    rig = Rig()
    rig.ask(0.0, 2.5)
    rig.feed(write_film(tmp_path / "in.mp4", 40, codec="libx265", b_frames=b_frames))
    path, span = clip_of(rig.cut(), tmp_path)
    found = numbers(path)
    assert found[:26] == list(range(26))
    assert [round(t, 3) for t, _ in shown(path)] == [round(n / 10, 3) for n in found]
    assert 2.55 < span.duration_s < 3.5


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_video_gives_an_upright_clip(tmp_path, codec, turns):
    """What a player shows of the clip is what it would show of the source."""
    source = turn(write_film(tmp_path / "in.mp4", 30, codec=codec), turns)
    rig = Rig()
    rig.ask(0.0, 2.0)
    rig.feed(source)
    path, _ = clip_of(rig.cut(), tmp_path)

    def upright(file):
        frame = shown(file)[5][1]
        rgb = frame.to_ndarray(format="rgb24")
        return np.rot90(rgb, round(frame.rotation / 90) % 4).astype(np.int16)

    wanted, got = upright(source), upright(path)
    assert wanted.shape == got.shape
    assert np.abs(wanted - got).mean() < 4


def test_real_times_are_kept(tmp_path):
    """Uneven steps and a hole stay where they were, in both ways of writing."""
    times = [0.0, 0.1, 0.2, 0.5, 0.55, 1.3, 3.9, 4.0, 4.4, 5.0]
    for name, codec in (("in.mp4", "libx264"), ("in.mkv", "libx265")):
        rig = Rig()
        rig.ask(0.0, 4.4)
        rig.feed(write_film(tmp_path / name, 10, codec=codec, gop=4, times=times))
        path, span = clip_of(rig.cut(), tmp_path)
        got = [t + span.start_t - EPOCH_T for t, _ in shown(path)]
        assert got[:9] == pytest.approx(times[:9], abs=0.003)


def test_sound_is_left_out(tmp_path):
    """A stream with G.711 sound gives a clip with video only (CLP-04)."""
    rig = Rig()
    rig.ask(1.0, 2.0)
    rig.feed(write_film(tmp_path / "in.avi", 30, alaw=True))
    path, _ = clip_of(rig.cut(), tmp_path)
    assert_browser_plays(path, 448, 96)


def test_packets_before_the_first_keyframe_are_not_kept(tmp_path):
    """Joined in the middle of a group, the clip begins with the next keyframe (CLP-12)."""
    rig = Rig()
    rig.ask(0.0, 2.5)
    with av.open(str(write_film(tmp_path / "in.mp4", 40))) as source:
        stream = source.streams.video[0]
        rig.recorder.begin(stream, 0)
        for n, packet in enumerate(p for p in source.demux(stream) if p.size):
            if n >= 3:
                rig.recorder.add(packet, EPOCH_T + n / 10, packet.is_keyframe)
                rig.recorder.tick()
    path, span = clip_of(rig.cut(), tmp_path)
    assert numbers(path)[0] == 10
    assert span.start_t == pytest.approx(EPOCH_T + 1.0)


def test_without_any_keyframe_there_is_a_reason_and_no_file(tmp_path):
    """A stream that never has a keyframe gives the word "no keyframe" and an empty ring (CLP-12)."""
    rig = Rig()
    rig.ask(0.0, 1.0)
    with av.open(str(write_film(tmp_path / "in.mp4", 30))) as source:
        stream = source.streams.video[0]
        rig.recorder.begin(stream, 0)
        for n, packet in enumerate(p for p in source.demux(stream) if p.size):
            rig.recorder.add(packet, EPOCH_T + n / 10, keyframe=False)
            rig.recorder.tick()
    assert rig.cut().found == "no keyframe has come"
    assert rig.ring.n_bytes == 0


def test_overlapping_requests_get_all_their_pictures(tmp_path):
    """Two alerts in the same seconds each get the whole of their clip (CLP-05)."""
    rig = Rig()
    first, second = rig.ask(1.0, 5.0), rig.ask(2.0, 6.0)
    rig.feed(write_film(tmp_path / "in.mp4", 100))
    cuts = {cut.request: cut for cut in (rig.cut(), rig.cut())}
    assert numbers(clip_of(cuts[first], tmp_path)[0]) == list(range(10, 51))
    assert numbers(clip_of(cuts[second], tmp_path)[0]) == list(range(20, 61))


def test_a_codec_that_is_let_go_is_freed_at_once(tmp_path):
    """Nothing of a connection's codec waits for the garbage collector, which seldom comes (ING-11)."""
    film = write_film(tmp_path / "in.mp4", 3)
    gc.collect()
    gc.disable()
    try:
        with av.open(str(film)) as source:
            kept = [Codec(source.streams.video[0]) for _ in range(20)]
            n_kept = n_outputs()
            kept.clear()
        assert (n_kept, n_outputs()) == (20, 0)
    finally:
        gc.enable()


def n_outputs():
    return sum(isinstance(one, av.container.OutputContainer) for one in gc.get_objects())


def test_a_writer_that_is_behind_holds_up_no_reader(tmp_path):
    """With no room for a cut the packets run on; the clip is cut when there is room, from what the ring has."""
    rig = Rig(keep_s=6.0, cuts=1)
    first, second = rig.ask(1.0, 3.0), rig.ask(1.0, 4.0)
    film = write_film(tmp_path / "in.mp4", 100)
    feeding = threading.Thread(target=rig.feed, args=(film,), kwargs={"keep_open": True}, daemon=True)
    feeding.start()
    feeding.join(20.0)
    fed = not feeding.is_alive()
    rig.abandon.set()
    assert fed, "the reader waits for the writer"
    assert rig.cut().request == first
    rig.recorder.tick()
    cut = rig.cut()
    assert (cut.request, rig.recorder.n_waiting) == (second, 0)
    _, span = clip_of(cut, tmp_path)
    assert span.start_t == pytest.approx(EPOCH_T + 3.0), "six seconds before the end of ten"
    assert (shortfall(second, span) or "").startswith("short pre-roll")


def test_a_file_read_as_fast_as_it_goes_waits_for_the_writer(tmp_path):
    """Its ring would run away from the clips; every cut is whole."""
    rig = Rig(keep_s=6.0, cuts=1, patient=True)
    rig.ask(1.0, 3.0), rig.ask(1.0, 4.0)
    film = write_film(tmp_path / "in.mp4", 100)
    feeding = threading.Thread(target=rig.feed, args=(film,), daemon=True)
    feeding.start()
    spans = [clip_of(rig.cuts.get(20.0), tmp_path)[1] for _ in range(2)]
    feeding.join(20.0)
    assert not feeding.is_alive()
    assert [span.start_t for span in spans] == [pytest.approx(EPOCH_T + 1.0)] * 2


def test_what_still_waits_at_the_end_is_cut_when_there_is_room(tmp_path):
    """The camera is over and the writer behind: each clip is cut, then the serving ends."""
    rig = Rig(cuts=1)
    asked = [rig.ask(1.0, until_t) for until_t in (3.0, 4.0, 5.0)]
    rig.feed(write_film(tmp_path / "in.mp4", 60))
    rig.requests.close()
    serving = threading.Thread(target=rig.recorder.serve, daemon=True)
    serving.start()
    assert [rig.cuts.get(20.0).request for _ in asked] == asked
    serving.join(20.0)
    assert not serving.is_alive()


def test_the_end_of_a_stretch_cuts_what_waits(tmp_path):
    """When the source ends before the wanted end, the clip has what there was."""
    rig = Rig()
    rig.ask(1.0, 60.0)
    rig.feed(write_film(tmp_path / "in.mp4", 40))
    assert numbers(clip_of(rig.cut(), tmp_path)[0])[-1] == 39


def test_a_raw_stream_with_b_frames_plays_in_order(tmp_path):
    """It has no times of its own; those that are counted are the order of showing (ING-04)."""
    film = write_film(tmp_path / "in.mp4", 60, b_frames=2)
    source = open_source(address_of(str(write_raw(film, tmp_path / "in.h264")), "", "", tmp_path))
    rig = Rig()
    rig.ask(0.0, 60.0)
    rig.recorder.begin(source.template, 0)
    with suppress(SourceEnded):
        while packet := source.read():
            rig.recorder.add(packet, EPOCH_T + float(packet.pts * packet.time_base), packet.is_keyframe)
    rig.recorder.end()
    source.close()
    path, span = clip_of(rig.cut(), tmp_path)
    assert numbers(path) == list(range(60))
    steps = np.diff([t for t, _ in shown(path)])
    assert steps == pytest.approx(span.duration_s / 60, rel=0.1)


def test_a_late_request_is_served_from_the_stretch_it_names(tmp_path):
    """After a reconnect, or after the end, an alert still gets the pictures of its own epoch, never a mix."""
    rig = Rig()
    rig.feed(write_film(tmp_path / "a.mp4", 30))
    rig.feed(write_film(tmp_path / "b.mp4", 30, size=(320, 192)), base_t=EPOCH_T + 3.5, keep_open=True)
    rig.ask(1.0, 60.0, epoch=0)
    rig.recorder.tick()
    path, _ = clip_of(rig.cut(), tmp_path)
    assert numbers(path) == list(range(10, 30))
    rig.recorder.end()
    rig.ask(1.0, 60.0, epoch=1)
    rig.requests.close()
    rig.recorder.serve()
    path, span = clip_of(rig.cut(), tmp_path)
    assert (shown(path)[0][1].width, len(shown(path))) == (320, 30)
    assert span.start_t == pytest.approx(EPOCH_T + 3.5)


def test_what_is_too_old_is_said_to_be_gone(tmp_path):
    """A request for seconds that have left the ring has a reason, not a clip of other seconds."""
    rig = Rig(keep_s=2.0)
    rig.feed(write_film(tmp_path / "in.mp4", 100))
    rig.ask(0.0, 1.0)
    rig.ask(0.0, 1.0, epoch=7)
    rig.requests.close()
    rig.recorder.serve()
    assert [rig.cut().found for _ in range(2)] == ["the pictures are no longer in memory"] * 2


@given(
    st.lists(st.tuples(st.integers(1, 400), st.booleans(), st.floats(0.01, 3.0)), min_size=1, max_size=200),
    st.integers(500, 3000),
)
def test_the_ring_is_bounded_and_begins_with_a_keyframe(steps, max_bytes):
    """Whatever comes: never more bytes than allowed, whole groups only, nothing much older than the limit."""
    ring = PacketRing(5.0, max_bytes)
    codec = object.__new__(Codec)
    ring.begin(0, codec)
    t = 0.0
    for size, keyframe, step_s in steps:
        t += step_s
        ring.add(Kept(b"x" * size, t, 0.0, keyframe))
        assert ring.n_bytes <= max_bytes
        found = ring.cut(0, t - 5.0, t)
        if not isinstance(found, str):
            assert found[1][0].keyframe
            assert found[1][-1].t <= t
    groups = list(ring._groups)
    assert sum(len(p.data) for g in groups for p in g.packets) == ring.n_bytes
    assert all(g.packets[0].keyframe and not any(p.keyframe for p in g.packets[1:]) for g in groups)
    assert len(groups) < 2 or groups[1].packets[0].t > t - 5.0


def test_the_ring_holds_no_connection(tmp_path):
    """After a stretch its source can be closed and deleted; the clip is written from memory."""
    rig = Rig()
    rig.ask(0.0, 2.0)
    source = write_film(tmp_path / "in.mp4", 30)
    rig.feed(source)
    source.unlink()
    fds = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    path, _ = clip_of(rig.cut(), tmp_path)
    assert len(numbers(path)) >= 20
    assert not fds or len(os.listdir("/proc/self/fd")) <= fds


def test_a_remux_costs_little(tmp_path):
    """Ten seconds of video become a clip in well under a tenth of a second of CPU."""
    rig = Rig()
    rig.ask(0.0, 10.0)
    rig.feed(write_film(tmp_path / "in.mp4", 110, fps=10))
    began = time.process_time()
    clip_of(rig.cut(), tmp_path)
    assert time.process_time() - began < 0.1


def test_rubbish_is_unreadable_and_leaves_no_file(tmp_path):
    """Packets that no decoder takes are an error with a reason."""
    rig = Rig()
    rig.feed(write_film(tmp_path / "in.mp4", 10, codec="mpeg4"))
    codec, packets = rig.ring.cut(0, EPOCH_T, EPOCH_T + 1.0)
    bad = [Kept(b"\x00" * 50, p.t, p.lag_s, p.keyframe) for p in packets]
    with pytest.raises(SourceUnreadable, match="no clip can be made"):
        write_clip(tmp_path / "out.mp4", codec, bad, EPOCH_T)


def test_the_encoder_is_there():
    """The start-up check passes where clips can be written."""
    check_encoder()


@pytest.mark.rtsp
@pytest.mark.skipif(bool(rtsp.missing()), reason="needs GStreamer's RTSP server")
def test_a_clip_of_a_live_camera(tmp_path):
    """From a real RTSP stream, whose first times are missing: a clip that plays, of the seconds asked for."""
    requests, cuts, stop = Pipe(10), Pipe(10), threading.Event()
    recorder = Recorder(PacketRing(30.0), requests, cuts, stop, "yard")
    board = Board()
    server = rtsp.GstServer()
    content = {"cameras": [{"id": "yard", "source": server.url, "analyse_fps": 15.0}]}
    reader = Reader(parse_site(content, tmp_path).cameras[0], board, recorder, lambda health: None)
    thread = threading.Thread(target=reader.run, args=(stop,))
    thread.start()
    try:
        shown = board.take(1, 20.0)[0].stamp
        requests.put(ClipRequest(uuid4(), "yard", shown.epoch, shown.t, shown.t + 2.5), stop)
        cut = cuts.get(20.0)
    finally:
        stop.set()
        thread.join(20)
        server.kill()
    path, span = clip_of(cut, tmp_path)
    assert_browser_plays(path, 320, 180)
    assert span.start_t <= shown.t
    assert span.start_t + span.duration_s >= shown.t + 2.5
    assert 30 <= len(numbers(path)) <= 15 * (span.duration_s + 0.2)


# ---------------------------------------------------------------- the writer


@pytest.fixture
def outbox(tmp_path):
    box = Outbox(tmp_path / "outbox.db")
    yield box
    box.close()


def cut_for(alert, tmp_path, **film):
    rig = Rig()
    request = ClipRequest(alert.alert_id, "yard", 0, EPOCH_T, EPOCH_T + 2.0)
    rig.requests.put(request, rig.abandon)
    rig.feed(write_film(tmp_path / "in.mp4", 30, **film))
    return rig.cut()


def run_writer(outbox, folder, *cuts, stop=None):
    pipe = Pipe(10)
    for cut in cuts:
        pipe.put(cut, threading.Event())
    pipe.close()
    ClipWriter(pipe, folder, outbox).run(stop or threading.Event())
    rows = []
    while (item := outbox.next()) is not None:
        rows.append(item)
        outbox.done(item.seq)
    return rows


def test_a_written_clip_is_put_with_its_span(outbox, tmp_path):
    """The outbox gets the finished file and what it shows; no half file stays."""
    alert = alert_in(1)
    outbox.put_alert(alert)
    folder = Folder(tmp_path / "evidence")
    rows = run_writer(outbox, folder, cut_for(alert, tmp_path))
    assert [row.what for row in rows] == [What.ALERT, What.MEDIA]
    assert json.loads(rows[1].body) == {
        "start_t": EPOCH_T,
        "duration_s": pytest.approx(2.1, abs=0.01),
        "note": None,
    }
    assert [p.name for p in (tmp_path / "evidence").iterdir()] == [f"{alert.alert_id}-clip.mp4"]


def test_a_full_disk_leaves_no_clip_and_the_alert_goes_on(outbox, tmp_path, monkeypatch):
    """Without room, the API is told why there is no clip; with room again, clips are back."""
    first, second = alert_in(1), alert_in(2)
    outbox.put_alert(first)
    outbox.put_alert(second)
    folder = Folder(tmp_path / "evidence")
    usage = shutil.disk_usage(tmp_path)
    full = [usage._replace(free=1000), usage]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full.pop(0))
    rows = run_writer(outbox, folder, cut_for(first, tmp_path), cut_for(second, tmp_path))
    assert [row.what for row in rows] == [What.ALERT, What.ALERT, What.MISSING, What.MEDIA]
    assert "disk full" in rows[2].body


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
def test_a_write_that_fails_in_the_middle_is_a_storage_error(tmp_path):
    """ENOSPC from the disk itself while a clip is written: a StorageError, and nothing with a final name."""
    cut = cut_for(alert_in(1), tmp_path)
    codec, packets = cut.found
    with pytest.raises(StorageError, match="No space left"):
        write_clip(Path("/dev/full"), codec, packets, EPOCH_T)


def test_no_pictures_is_told_as_missing(outbox, tmp_path):
    """A cut without packets becomes the word that the clip is missing, with the reason."""
    alert = alert_in(1)
    outbox.put_alert(alert)
    cut = Cut(ClipRequest(alert.alert_id, "yard", 0, 0.0, 1.0), "no keyframe has come")
    rows = run_writer(outbox, Folder(tmp_path / "evidence"), cut)
    assert json.loads(rows[1].body) == {"reason": "no keyframe has come"}
