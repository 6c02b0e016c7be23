"""Laws of the reference check: every lost reference is seen at the next picture, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.footage import annex_b, write_video

from streams.h264 import ReferenceCheck


def packets_of(path: Path) -> tuple[bytes | None, list[bytes]]:
    """A file's extradata and its packets as the container holds them."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        return stream.codec_context.extradata, [bytes(p) for p in source.demux(stream) if p.size]


def is_reference(packet: bytes) -> bool:
    """By the first slice of an Annex B packet."""
    at = packet.find(b"\x00\x00\x01")
    while packet[at + 3] & 31 not in (1, 5):
        at = packet.find(b"\x00\x00\x01", at + 3)
    return bool(packet[at + 3] >> 5 & 3)


@pytest.mark.parametrize("gop", [10, 250])
@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_whole_stream_misses_nothing(tmp_path: Path, name: str, b_frames: int, gop: int) -> None:
    """In lengths and in start codes, with parameter sets outside and inside, over many numbers' wrap."""
    extradata, packets = packets_of(write_video(tmp_path / name, n=120, b_frames=b_frames, gop=gop))
    check = ReferenceCheck(extradata)
    assert [check.misses_reference(packet) for packet in packets] == [False] * 120


@pytest.mark.parametrize("b_frames", [0, 2])
def test_each_lost_reference_is_seen_at_the_next_picture(tmp_path: Path, b_frames: int) -> None:
    """Whichever one packet of a group is lost; a lost picture that nothing refers to harms nobody."""
    packets = [data for data, *_ in annex_b(write_video(tmp_path / "a.mp4", n=40, b_frames=b_frames, gop=20))]
    seen = 0
    for lost in range(21, 38):
        check = ReferenceCheck(None)
        missed = [check.misses_reference(p) for i, p in enumerate(packets) if i != lost]
        if is_reference(packets[lost]):
            seen += 1
            assert missed.index(True) == lost, lost
        else:
            assert not any(missed), lost
    assert seen >= 5


def test_a_lost_keyframe_is_seen(tmp_path: Path) -> None:
    """What comes after it refers to a picture of the group before (ING-12)."""
    packets = [data for data, *_ in annex_b(write_video(tmp_path / "a.mp4", n=30, gop=10))]
    check = ReferenceCheck(None)
    missed = [check.misses_reference(p) for i, p in enumerate(packets) if i != 10]
    assert True in missed[10:19]
    assert not any(missed[:10])


def test_a_start_in_the_middle_of_a_group_is_no_loss(tmp_path: Path) -> None:
    """Nothing is known before the first picture, and the decoder shows none of it."""
    packets = [data for data, *_ in annex_b(write_video(tmp_path / "a.mp4", n=30, gop=10))]
    check = ReferenceCheck(None)
    assert not any(check.misses_reference(packet) for packet in packets[5:])


@given(st.binary(max_size=200), st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_are_read_without_an_error(extradata: bytes, packets: list[bytes]) -> None:
    """Damage is what this is for: no content makes it raise."""
    check = ReferenceCheck(extradata)
    for packet in packets:
        assert check.misses_reference(b"\x00\x00\x01" + packet) in (True, False)
