"""Laws of the camera test: each thing that works or does not is one line, in words, with what to do."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.footage import noise, write_audio, write_raw, write_ts, write_video

from benchmarks.report import ROOT
from benchmarks.rtsp import GstServer, missing, silent_camera
from streams import source as source_module
from streams.address import address_of
from streams.probe import Finding, Mark, probe

WHY_NOT = missing()
needs_gst = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


def found(source: str, *login: str, seconds: float = 60.0) -> dict[str, Finding]:
    address = address_of(source, *(login or ("", "")), Path())
    return {finding.what: finding for finding in probe(address, seconds)}


def test_a_good_file_has_only_good_marks(tmp_path: Path) -> None:
    """Codec, size, rate, keyframes, time."""
    told = found(str(write_video(tmp_path / "a.mp4", n=60, fps=10, gop=20)))
    assert {finding.mark for finding in told.values()} == {Mark.GOOD}
    assert told["size"].said == "160x120"
    assert told["rate"].said == "10.0 pictures a second, as declared"
    assert told["keyframes"].said == "every 2.0 s"
    assert told["pictures"].said.startswith("60 decoded")
    assert "h264" in told["codec"].said


def test_what_is_worth_knowing_is_a_note(tmp_path: Path) -> None:
    """Another codec, long intervals between keyframes, B-frames, damage, missing times."""
    told = found(str(write_video(tmp_path / "a.avi", n=30, codec="mjpeg", pix_fmt="yuvj420p")))
    assert told["codec"].mark is Mark.NOTE
    assert "encoded anew" in told["codec"].said
    told = found(str(write_video(tmp_path / "b.mp4", n=120, gop=250, b_frames=2)))
    assert told["keyframes"].mark is Mark.NOTE
    assert "Set 1 to 2 s" in told["keyframes"].said
    assert "B-frames" in told["time"].said
    whole = write_video(tmp_path / "c.mp4", n=40)
    told = found(str(write_ts(whole, tmp_path / "c.ts", lambda i, d: noise(d, i) if i in (14, 15) else d)))
    assert "damaged" in told["damage"].said
    told = found(str(write_ts(whole, tmp_path / "d.ts", lambda i, d: None if 12 < i < 18 else d)))
    assert "1 holes between pictures" in told["time"].said
    told = found(str(write_raw(whole, tmp_path / "e.h264")))
    assert "packets without a time: it is counted, at" in told["time"].said
    assert "which is not used" in told["rate"].said or told["rate"].mark is Mark.GOOD


def test_what_is_fatal_ends_the_test_with_what_to_do(tmp_path: Path) -> None:
    """A sound, a missing file, a name nobody knows, a port where nobody listens."""
    assert "no video in it" in found(str(write_audio(tmp_path / "a.mov")))["open"].said
    assert "no such file" in found(str(tmp_path / "none.mp4"))["open"].said
    told = found("rtsp://camera.invalid/s")
    assert list(told) == ["reach"]
    assert "is not known here" in told["reach"].said
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "nothing listens" in found(f"rtsp://127.0.0.1:{port}/s")["reach"].said


@pytest.mark.parametrize("until_play", [False, True])
def test_a_camera_that_says_nothing_is_told_from_one_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, until_play: bool
) -> None:
    """It is reached, and then gives no data."""
    monkeypatch.setattr(source_module, "LIMIT_S", 1.0)
    with silent_camera(until_play=until_play) as (url, _):
        told = found(url, seconds=1.0)
    assert told["reach"].mark is Mark.GOOD
    bad = [finding for finding in told.values() if finding.mark is Mark.BAD]
    assert len(bad) == 1
    assert "no data" in bad[0].said


@pytest.mark.rtsp
@needs_gst
def test_a_camera_with_sound_and_a_login() -> None:
    """A real server: the login is tried, the sound is named, the rate is measured; no secret is said."""
    launch = (
        "( videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=15/1 ! x264enc"
        " tune=zerolatency key-int-max=15 ! rtph264pay name=pay0 pt=96 audiotestsrc is-live=true !"
        " audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8 )"
    )
    with GstServer(login=("u", "s3cret"), launch=launch) as server:
        told = found(server.url, "u", "s3cret", seconds=4.0)
        refused = found(server.url, "u", "wr0ng", seconds=2.0)
    assert "pcm_alaw" in told["sound and data"].said
    assert told["pictures"].mark is Mark.GOOD
    assert 13 < float(told["rate"].said.split()[0]) < 17
    assert "the login was refused" in refused["open"].said
    assert "s3cret" not in str(told)
    assert "wr0ng" not in str(refused)


def test_the_command_prints_lines_and_an_object(tmp_path: Path) -> None:
    """Exit code 0 for a good camera, 4 for a bad one; --json for machines."""
    good = write_video(tmp_path / "a.mp4", n=30)
    command = [sys.executable, "-m", "watchpost", "cameras", "test"]
    done = subprocess.run(
        [*command, str(good), "--json", str(tmp_path / "a.json")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "10.0 pictures a second" in done.stdout
    findings = json.loads((tmp_path / "a.json").read_text())["findings"]
    assert {"what": "size", "mark": "good", "said": "160x120"} in findings
    bad = subprocess.run(
        [*command, str(tmp_path / "b.mp4")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert bad.returncode == 4
    assert "no such file" in bad.stdout
