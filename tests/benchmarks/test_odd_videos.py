"""Laws of the odd-videos benchmark: every file is read to its end or refused with a reason."""

from __future__ import annotations

import pytest
from support.footage import noise, write_audio, write_raw, write_ts, write_video

from benchmarks.odd_videos import odd_videos, read_file
from detector.errors import ConfigError


def quiet(what, done, total):
    pass


def test_each_file_has_its_count_and_what_is_said_of_it(tmp_path):
    """Whole, damaged, without times, without video, empty: none ends the run, and each is told apart."""
    folder = tmp_path / "videos"
    folder.mkdir()
    whole = write_video(folder / "whole.mp4", n=20)
    write_raw(whole, folder / "raw.h264")
    write_ts(whole, folder / "damaged.ts", lambda i, d: noise(d, i) if i in (4, 5) else d)
    write_audio(folder / "sound.mov")
    (folder / "empty.mkv").write_bytes(b"")
    (folder / "note.txt").write_text("not a video")
    figures = {f.name.split(".")[1]: f for f in odd_videos(folder, quiet).figures}
    assert set(figures) == {"whole", "raw", "damaged", "sound", "empty", "files"}
    assert (figures["whole"].value, figures["whole"].split) == (20, "nothing")
    assert (figures["raw"].value, figures["raw"].split) == (20, "times estimated")
    assert "not judged" in figures["damaged"].split
    assert figures["damaged"].n < figures["damaged"].value <= 20
    assert figures["sound"].value == 0
    assert "no video in it" in figures["sound"].split
    assert "the file is empty" in figures["empty"].split
    assert (figures["files"].value, figures["files"].n) == (5, 5)


def test_a_file_that_takes_too_long_is_said_to_hang(tmp_path):
    """The limit ends it."""
    assert read_file(write_video(tmp_path / "a.mp4", n=60), limit_s=0.0).hangs


def test_a_folder_without_videos_is_an_error(tmp_path):
    """Nothing measured is no figure."""
    with pytest.raises(ConfigError, match="no video file"):
        odd_videos(tmp_path, quiet)
