"""Source: opens what can be opened, says why not, shows no login, survives bad packets, lets go of a stop."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import av
import pytest
from av.bitstream import BitStreamFilterContext
from hypothesis import given, settings
from hypothesis import strategies as st
from support.footage import noise, write_audio, write_raw, write_ts, write_video

from benchmarks.rtsp import GstServer, missing, silent_camera, write_certificate
from detector.errors import (
    ConfigError,
    SourceEnded,
    SourceError,
    SourceUnreachable,
    SourceUnreadable,
    Trouble,
)
from streams import hardware
from streams import source as source_module
from streams.address import Address, Transport, address_of
from streams.feed import Arrival, Clock, Feed
from streams.source import Source, VideoPacket, open_source
from streams.timeline import usable_fps

PASSWORD = "p@ss:w/rd#1?%"
WHY_NOT = missing()
needs_gst = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


def file(path: Path) -> Address:
    return Address(url=str(path), shown=str(path), live=False)


def read_all(source: Source) -> tuple[int, int]:
    """Packets and pictures until the end."""
    n_packets = n_frames = 0
    try:
        while True:
            n_frames += len(source.decode(source.read()))
            n_packets += 1
    except SourceEnded:
        n_frames += len(source.flush())
    source.close()
    return n_packets, n_frames


# ---------------------------------------------------------------- addresses


def test_a_login_in_its_own_fields_is_encoded_once() -> None:
    """Raw fields and an encoded URL give the same address; what looks encoded in a field is not decoded."""
    fields = address_of("rtsp://cam.local:554/s?x=1", "u", PASSWORD, Path())
    assert fields.url == f"rtsp://u:{quote(PASSWORD, safe='')}@cam.local:554/s?x=1"
    assert address_of(fields.url, "", "", Path()) == fields
    assert "u:p%2540ss@" in address_of("rtsp://cam/s", "u", "p%40ss", Path()).url
    assert fields.live


text = st.text(st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=50)
@given(text.filter(bool), text)
def test_any_login_survives_the_url_and_is_never_shown(user: str, password: str) -> None:
    """Whatever characters a login has, the URL gives them back, and what is shown has none of them (ING-02)."""
    address = address_of("rtsp://cam.local/live", user, password, Path())
    parts = urlsplit(address.url)
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert address.shown == "rtsp://cam.local/…"
    assert address.url not in repr(address)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://[::1]:18557/s", "rtsp://[::1]:18557/…"),
        ("rtsps://u:pw@[2001:db8::7]/s", "rtsps://[2001:db8::7]/…"),
        ("http://cam/video.mjpg?user=u&password=secret", "http://cam/…"),
        ("rtsp://10.0.0.5:554/user=u&password=secret&channel=1.sdp", "rtsp://10.0.0.5:554/…"),
        ("https://cam", "https://cam"),
    ],
)
def test_what_is_shown_has_a_bracketed_host_and_no_secret(source: str, shown: str) -> None:
    """IPv6 hosts keep their brackets; login, path and query are not shown."""
    assert address_of(source, "", "", Path()).shown == shown


@pytest.mark.parametrize(
    "source",
    [
        f"rtsp://XX:{PASSWORD}@cam/s",
        "rtsp://u:XX@1@cam/s",
        "rtsp://u:X/X@cam/s",
        "rtsp://u:12/XX@cam/s",
        "rtsp://u:X#X@cam/s",
        "rtsp://u:X?X@cam/s",
        "rtsp://u:X%X@cam/s",
        "rtsp://u:X X@cam/s",
        "rtsp://u:X\tX@cam/s",
        "rtsp://u:X[X@cam/s",
        "rtsp://::1:554/XX",
        "rtsp:///XX",
        "rtsp://cam:99999/XX",
        "ftp://u:XX@cam/s",
        "file:///XX",
    ],
)
def test_an_address_that_cannot_be_right_is_refused_unseen(source: str) -> None:
    """A raw or broken URL is a ConfigError that does not repeat it, nor chain an error that does."""
    with pytest.raises(ConfigError) as caught:
        address_of(source, "", "", Path())
    assert "X" not in str(caught.value)
    assert "p@ss" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("source", "user", "password", "said"),
    [
        ("rtsp://u:p@cam/s", "u", "p", "two logins"),
        ("rtsp://cam/s", "", "p", "without a user"),
        ("clip.mp4", "u", "p", "a file has no login"),
    ],
)
def test_a_login_in_the_wrong_place_is_refused(source: str, user: str, password: str, said: str) -> None:
    """One login, in one place, and none for a file."""
    with pytest.raises(ConfigError, match=said):
        address_of(source, user, password, Path())


def test_a_file_is_found_from_the_site_files_folder(tmp_path: Path) -> None:
    """Relative paths start at the folder given."""
    assert address_of("clips/a.mp4", "", "", tmp_path).url == str(tmp_path / "clips" / "a.mp4")
    assert address_of("/clips/a.mp4", "", "", tmp_path).url == "/clips/a.mp4"


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_every_picture_of_a_file_comes_out(tmp_path: Path, name: str) -> None:
    """Packets and pictures are complete, B-frames that wait in the decoder included; then SourceEnded."""
    source = open_source(file(write_video(tmp_path / name, n=17, fps=15, b_frames=2)))
    assert source.fps == 15
    assert read_all(source) == (17, 17)


def test_a_stream_that_claims_180000_pictures_a_second_is_read(tmp_path: Path) -> None:
    """The parameter set is damaged or a joke: its rate is not used, and all is read (ING-07)."""
    with av.open(str(write_video(tmp_path / "a.mp4"))) as model:
        stream = model.streams.video[0]
        absurd = BitStreamFilterContext("h264_mp4toannexb,h264_metadata=tick_rate=360000", stream)
        parts = [bytes(raw) for p in model.demux(stream) for raw in absurd.filter(p if p.size else None)]
    raw = tmp_path / "fps180k.h264"
    raw.write_bytes(b"".join(parts))
    source = open_source(file(raw))
    assert source.template.codec_context.framerate == 180_000, "the claim is in it"
    assert source.fps is None or source.fps == usable_fps(source.fps)
    assert read_all(source) == (20, 20)


def test_a_raw_stream_is_read(tmp_path: Path) -> None:
    """An elementary stream has no times and is read all the same (ING-04)."""
    source = open_source(file(write_raw(write_video(tmp_path / "a.mp4"), tmp_path / "a.h264")))
    assert source.counted
    assert read_all(source) == (20, 20)


def test_a_bad_packet_is_counted_and_the_stream_goes_on(tmp_path: Path) -> None:
    """Damaged packets cost pictures, never the rest of the file (ING-05)."""
    clean = write_video(tmp_path / "a.mp4", n=30, gop=10)

    def damage(i: int, data: bytes) -> bytes:
        return noise(data, i) if i in (13, 14, 15, 16) else data

    path = write_ts(clean, tmp_path / "bad.ts", damage)
    source = open_source(file(path))
    n_packets, n_frames = read_all(source)
    assert n_packets == 30
    assert 20 <= n_frames <= 30
    assert source.n_bad_packets >= 1


class Fussy:
    """A container that raises some errors before it gives packets."""

    def __init__(self, container: av.container.InputContainer, faults: list[Exception]) -> None:
        self.container, self.faults = container, faults
        self.streams, self.format = container.streams, container.format

    def demux(self, stream: av.VideoStream) -> Iterator[VideoPacket]:
        if self.faults:
            raise self.faults.pop(0)
        yield from self.container.demux(stream)

    def close(self) -> None:
        self.container.close()


def fussy(path: Path, faults: list[Exception], *, live: bool) -> Source:
    container = av.open(str(path))
    address = address_of("rtsp://cam/s", "u", "secret", Path()) if live else file(path)
    return Source(address, Fussy(container, faults), container.streams.video[0])  # type: ignore[arg-type]


def damaged() -> av.InvalidDataError:
    return av.InvalidDataError(1, "Invalid data", "rtsp://u:secret@cam/s")


def test_a_damaged_place_in_a_container_is_stepped_over(tmp_path: Path) -> None:
    """Reads that fail are counted and tried again; nothing but failures is an error."""
    path = write_video(tmp_path / "a.mp4", n=5)
    some = fussy(path, [damaged() for _ in range(3)], live=False)
    assert read_all(some) == (5, 5)
    assert some.n_bad_reads == 3
    none = fussy(path, [damaged() for _ in range(60)], live=True)
    with pytest.raises(SourceUnreachable, match="nothing but damaged data"):
        none.read()
    none.close()


def test_the_end_of_a_live_stream_is_a_lost_connection(tmp_path: Path) -> None:
    """A camera has no last picture: its end is worth a retry, and so is an error in mid-stream."""
    path = write_video(tmp_path / "a.mp4", n=2)
    source = fussy(path, [], live=True)
    source.read()
    source.read()
    with pytest.raises(SourceUnreachable, match="ended by the camera"):
        source.read()
    source.close()
    lost = fussy(path, [av.ConnectionResetError(104, "Connection reset by peer", "u:secret")], live=True)
    with pytest.raises(SourceUnreachable, match="Connection reset by peer") as caught:
        lost.read()
    assert "secret" not in str(caught.value)
    lost.close()


def unreadable(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    yield tmp_path / "none.mp4", "no such file"
    yield tmp_path, "not a file"
    empty = tmp_path / "empty.mp4"
    empty.touch()
    yield empty, "empty"
    for name in ("text.mp4", "text.txt"):
        text = tmp_path / name
        text.write_text("not a film\n" * 200)
        yield text, "not a video"
    listed = tmp_path / "list.ffconcat"
    listed.write_text("ffconcat version 1.0\nfile a.mp4\n")
    yield listed, "not a video"
    yield write_audio(tmp_path / "tone.mkv"), "no video in it"


def test_a_file_that_is_no_video_says_what_it_is(tmp_path: Path) -> None:
    """Each kind of wrong file is SourceUnreadable with its own reason and the path."""
    for path, said in unreadable(tmp_path):
        with pytest.raises(SourceUnreadable, match=said) as caught:
            open_source(file(path))
        assert str(path) in str(caught.value)


def test_a_cover_picture_is_no_video_and_is_called_by_its_name(tmp_path: Path) -> None:
    """Music with a sleeve picture is refused, and the person is not told that it holds a video."""
    sound, cover = ["-f", "lavfi", "-i", "sine=d=1"], ["-f", "lavfi", "-i", "color=s=64x64:d=1"]
    made = ["-map", "0", "-map", "1", "-c:v", "mjpeg", "-frames:v", "1", "-disposition:v", "attached_pic"]
    song = tmp_path / "song.mp4"
    subprocess.run(["ffmpeg", "-v", "error", *sound, *cover, *made, str(song)], check=True)
    with pytest.raises(SourceUnreadable, match="got a cover picture, audio") as caught:
        open_source(file(song))
    assert caught.value.trouble is Trouble.NO_VIDEO


def test_opening_and_failing_leaves_nothing_open(tmp_path: Path) -> None:
    """Fifty attempts at a file without video keep no descriptor."""
    tone = file(write_audio(tmp_path / "tone.mkv"))
    good = file(write_video(tmp_path / "a.mp4", n=2))

    def attempt() -> int:
        with pytest.raises(SourceUnreadable):
            open_source(tone)
        open_source(good).close()
        return len(list(Path("/proc/self/fd").iterdir()))

    first = attempt()
    assert [attempt() for _ in range(50)] == [first] * 50


# ---------------------------------------------------------------- the map of library errors


@pytest.mark.parametrize(
    ("error", "number", "said", "trouble"),
    [
        (av.HTTPUnauthorizedError, 5, "login was refused", Trouble.AUTH_FAILED),
        (av.HTTPForbiddenError, 5, "may not see", Trouble.AUTH_FAILED),
        (av.HTTPNotFoundError, 5, "no stream at this path", Trouble.NOT_FOUND),
        (av.ConnectionRefusedError, 111, "connection refused", Trouble.REFUSED),
        (av.ConnectionResetError, 104, "closed the connection", Trouble.LOST),
        (av.TimeoutError, 110, "no data", Trouble.NO_DATA),
        (av.error.ExitError, 5, "no data", Trouble.NO_DATA),
        (av.DecoderNotFoundError, 5, "codec", Trouble.NO_VIDEO),
        (av.ProtocolNotFoundError, 5, "not allowed", Trouble.UNREADABLE),
        (av.OSError, 113, "no route", Trouble.NO_ROUTE),
        (av.OSError, 101, "no route", Trouble.NO_ROUTE),
        (av.OSError, 5, "cannot be read", Trouble.UNREADABLE),
        (av.InvalidDataError, 5, "cannot be read", Trouble.UNREADABLE),
    ],
)
def test_library_errors_of_a_camera_are_unreachable(
    monkeypatch: pytest.MonkeyPatch, error: type[av.FFmpegError], number: int, said: str, trouble: Trouble
) -> None:
    """Each becomes SourceUnreachable with its own words, without the URL that the library quotes."""
    address = address_of("rtsp://cam/s", "u", "secret", Path())

    def fail(url: str, **_: object) -> None:
        raise error(number, "fixed text", url)

    monkeypatch.setattr(source_module.av, "open", fail)
    with pytest.raises(SourceUnreachable, match=said) as caught:
        open_source(address)
    assert "fixed text" in str(caught.value) or "no data" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.trouble is trouble
    assert caught.value.__suppress_context__


# ---------------------------------------------------------------- the feed


def take(feed: Feed) -> Source | Arrival | SourceError:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        item = feed.take(0.2)
        if item is not None:
            return item
    raise AssertionError("the feed gave nothing")


def wait_gone(feed: Feed) -> bool:
    deadline = time.monotonic() + 20
    while feed.running and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return not feed.running


def test_a_feed_gives_the_source_then_packets_then_the_end(tmp_path: Path) -> None:
    """And keeps the source open after its end until it is closed."""
    address = file(write_video(tmp_path / "a.mp4", n=50))
    feed = Feed("gate", lambda: open_source(address), Clock())
    source = take(feed)
    assert isinstance(source, Source)
    items = [take(feed) for _ in range(51)]
    assert all(isinstance(item, Arrival) for item in items[:50])
    assert isinstance(items[50], SourceEnded)
    assert len([f for i in items[:50] if isinstance(i, Arrival) for f in source.decode(i.packet)]) > 45
    assert feed.running
    feed.close()
    assert wait_gone(feed)


def test_a_fault_in_a_feed_reaches_its_owner() -> None:
    """What is not a SourceError is raised by `take`: the reader's stage dies of it."""

    def broken() -> Source:
        raise ZeroDivisionError("a fault")

    feed = Feed("gate", broken, Clock())
    with pytest.raises(ZeroDivisionError):
        take(feed)


# ---------------------------------------------------------------- real servers


@pytest.mark.parametrize("how", ["fields", "url", "looks encoded"])
@pytest.mark.rtsp
@needs_gst
def test_a_password_of_any_characters_logs_in(how: str) -> None:
    """Against a real server: raw fields, an encoded URL, and a password that itself contains %40 (ING-02)."""
    password = "p%40ss" if how == "looks encoded" else PASSWORD
    with GstServer(login=("u", password)) as server:
        if how == "url":
            address = address_of(server.url.replace("//", f"//u:{quote(password, safe='')}@"), "", "", Path())
        else:
            address = address_of(server.url, "u", password, Path())
        source = open_source(address)
        assert any(source.decode(source.read()) for _ in range(30))
        source.close()


@pytest.mark.rtsp
@needs_gst
def test_a_refused_login_and_a_wrong_path_are_told_apart() -> None:
    """401 and 404 have their own words and show no login."""
    with GstServer(login=("u", PASSWORD)) as server:
        with pytest.raises(SourceUnreachable, match="login was refused") as caught:
            open_source(address_of(server.url, "u", "wrong-secret", Path()))
        assert "wrong-secret" not in str(caught.value)
        with pytest.raises(SourceUnreachable, match="no stream at this path"):
            open_source(address_of(server.url + "/other", "u", PASSWORD, Path()))


@pytest.mark.rtsp
@needs_gst
def test_a_camera_with_an_ipv6_address_is_read() -> None:
    """A bracketed host connects (ING-09)."""
    with GstServer(address="::1") as server:
        source = open_source(address_of(server.url, "", "", Path()))
        assert source.read().size > 0
        source.close()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.rtsp
@needs_gst
def test_a_camera_is_read_over_either_transport(transport: Transport) -> None:
    """A picture comes, and comes to this process by the transport that was asked for."""
    with GstServer() as server:
        source = open_source(replace(address_of(server.url, "", "", Path()), transport=transport))
        assert any(source.decode(source.read()) for _ in range(30))
        assert (udp_sockets() > 0) is (transport == "udp")
        source.close()


def udp_sockets() -> int:
    """How many sockets of this process are UDP."""
    links = []
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them is gone
            links.append(os.readlink(fd))
    tables = [Path("/proc/net", name).read_text().splitlines()[1:] for name in ("udp", "udp6")]
    inodes = {f"socket:[{line.split()[9]}]" for table in tables for line in table}
    return len(inodes & set(links))


@pytest.mark.rtsp
@needs_gst
def test_an_encrypted_camera_is_read_if_its_certificate_is_trusted(tmp_path: Path) -> None:
    """Its own certificate by tls_ca_file, any by tls_verify = false, and else none, with what to do."""
    certificate = write_certificate(tmp_path / "camera.pem")
    with GstServer(certificate=certificate) as server:
        address = address_of(server.url, "", "", Path())
        with pytest.raises(SourceUnreachable, match="tls_ca_file"):
            open_source(address)
        for trusted in ({"tls_verify": False}, {"tls_ca_file": certificate}):
            source = open_source(replace(address, **trusted))
            assert any(source.decode(source.read()) for _ in range(30))
            source.close()


def test_a_device_that_is_not_there_says_so(tmp_path: Path) -> None:
    """And so does one that gives no video: both are asked again, since a plug may be put in."""
    for name in ("/dev/video97", "/dev/null"):
        address = address_of(f"v4l2://{name}", "", "", tmp_path)
        assert (address.url, address.shown, address.live) == (name, name, True)
        with pytest.raises(SourceUnreachable, match="gives no video") as caught:
            open_source(address)
        assert caught.value.trouble is Trouble.NO_VIDEO
        assert "group video" in str(caught.value)
    for wrong in ("v4l2:///etc/passwd", "v4l2://cam/dev/video0"):
        with pytest.raises(ConfigError, match="not a video device"):
            address_of(wrong, "", "", tmp_path)


def test_a_decoding_device_that_is_missing_is_said_or_done_without(tmp_path: Path) -> None:
    """A named one is an error that says what is missing; auto takes the best there is and says which."""
    path = write_video(tmp_path / "a.mp4", n=5)
    with pytest.raises(SourceUnreadable, match="d3d11va: not built into") as caught:
        open_source(replace(file(path), decoder="d3d11va"))
    assert caught.value.trouble is Trouble.NO_VIDEO
    source = open_source(replace(file(path), decoder="auto"))
    assert source.decode(source.read()) + source.flush()
    assert source.decoder == (hardware.choose("auto").device or "software")
    assert hardware.choose("auto").device or "cuda: " in source.not_on_a_device
    source.close()


def test_nobody_listening_is_refused_at_once() -> None:
    """A closed port is told from silence."""
    with pytest.raises(SourceUnreachable, match="connection refused"):
        open_source(address_of("rtsp://127.0.0.1:9/s", "", "", Path()))


@pytest.mark.parametrize("until_play", [False, True])
def test_a_silent_camera_ends_within_the_limit(monkeypatch: pytest.MonkeyPatch, until_play: bool) -> None:
    """No answer, or PLAY and then nothing: "no data" after the limit, however far it came (ING-01)."""
    monkeypatch.setattr(source_module, "LIMIT_S", 1.0)
    with silent_camera(until_play=until_play) as (url, requests):
        began_s = time.monotonic()
        with pytest.raises(SourceUnreachable, match="no data"):
            open_source(address_of(url, "", "", Path())).read()
        assert time.monotonic() - began_s < 4.0
        assert bool(requests)


def test_the_last_pictures_keep_their_time(tmp_path: Path) -> None:
    """What a decoder gives only at the end of a file with B-frames is told with its time."""
    source = open_source(file(write_video(tmp_path / "b.mp4", n=20, fps=10, b_frames=2)))
    with suppress(SourceEnded):
        while True:
            source.decode(source.read())
    times = [video.time for video in source.flush()]
    source.close()
    assert times == pytest.approx([2.0 - (len(times) - k) / 10 for k in range(len(times))])
    assert times
