"""Laws of privacy masks: what lies under one is in no picture and no clip, and changes no byte of them."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image, ImageFilter
from support.masked import COLOUR, n_seen, peep_film, under

import streams.frame
from api.schemas import Provenance
from detector.errors import SourceUnreadable
from detector.types import Stamp
from detector.zones import Zone
from streams.clips import Codec, Kept, write_clip
from streams.evidence import tile
from streams.frame import Frame, upright_size
from streams.masks import NO_MASKS, Masks

WINDOW = Masks((Zone("window", ((0.25, 0.25), (0.7, 0.3), (0.6, 0.8), (0.3, 0.6))),))
CORNER = Masks((Zone("corner", ((0.0, 0.0), (0.31, 0.0), (0.0, 0.43))),))
SLIVER = Masks((Zone("sliver", ((0.2, 0.2), (0.9, 0.701), (0.9, 0.7))),))
SHAPES = [WINDOW, CORNER, SLIVER]
FORMATS = {  # bytes of a sample in each plane
    "yuv420p": (1, 1, 1), "yuvj422p": (1, 1, 1), "yuv444p": (1, 1, 1), "yuv411p": (1, 1, 1),
    "yuv410p": (1, 1, 1), "yuv420p10le": (2, 2, 2), "nv12": (1, 2), "gray": (1,), "rgb24": (3,),
}  # fmt: skip


def noise(pix_fmt, width, height, seed, hidden=None, under=None):
    """A picture of noise; with `hidden`, other noise in every sample that has a pixel of `under` in it."""
    frame = av.VideoFrame(width, height, pix_fmt)
    for k, (plane, depth) in enumerate(zip(frame.planes, FORMATS[pix_fmt], strict=True)):
        rows, columns = plane.height, plane.width
        shape = (rows, columns, depth)
        content = np.random.default_rng([seed, k]).integers(0, 256, shape, np.uint8)
        if hidden is not None:
            across, down = -(-width // columns), -(-height // rows)
            whole = np.zeros((rows * down, columns * across), bool)
            whole[:height, :width] = under
            touched = whole.reshape(rows, down, columns, across).any(axis=(1, 3))
            content[touched] = np.random.default_rng([hidden, k]).integers(0, 256, shape, np.uint8)[touched]
        if pix_fmt.endswith("10le"):
            content[..., 1] &= 3
        padded = np.zeros((rows, plane.line_size), np.uint8)
        padded[:, : columns * depth] = content.reshape(rows, -1)
        plane.update(padded)
    return frame


def frame_of(video, masks):
    width, height = upright_size(video)
    return Frame(Stamp("yard", 0, 0, 0.0, datetime(2026, 3, 1, tzinfo=UTC), width, height), video, masks)


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_what_is_hidden_changes_no_byte(monkeypatch, pix_fmt):
    """Two pictures that differ only under a mask give the same bytes: any format, size, turn and scale."""
    for size in ((160, 120), (133, 97)):
        for turns in range(4):
            monkeypatch.setattr(streams.frame, "quarter_turns", lambda video, turns=turns: turns)
            width, height = size[::-1] if turns % 2 else size
            for masks in SHAPES:
                lying = np.rot90(under(masks.zones, width, height), -turns)
                one, other = (frame_of(noise(pix_fmt, *size, 1, hidden, lying), masks) for hidden in (2, 3))
                assert (one.width, one.height) == (width, height)
                for scale in (1.0, 0.5, 0.31, 1.7):
                    out = round(width * scale), round(height * scale)
                    seen = one.rgb(*out)
                    assert np.array_equal(seen, other.rgb(*out)), (size, turns, masks.zones[0].name, out)
                    assert not seen[under(masks.zones, *out)].any()
                    assert seen.any()
                assert one.jpeg() == other.jpeg()
                assert tile(one) == tile(other)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj422p", "yuv444p", "yuv411p"])
def test_what_is_hidden_changes_no_byte_of_a_clip(tmp_path, pix_fmt):
    """Two recordings that differ only under a mask give the same clip, odd sizes too."""
    size = (132, 98) if pix_fmt == "yuv420p" else (133, 97)
    for masks in SHAPES:
        hidden = under(masks.zones, *size)
        clips = []
        for n in (2, 3):
            source = tmp_path / f"{n}.mkv"
            with av.open(str(source), "w") as out:
                stream = out.add_stream("ffv1", rate=10)
                stream.width, stream.height = size
                stream.pix_fmt = pix_fmt.replace("yuvj", "yuv")
                for k in range(4):
                    picture = noise(pix_fmt, *size, 10 + k, 100 * n + k, hidden)
                    picture.pts, picture.time_base = k, Fraction(1, 10)
                    out.mux(stream.encode(picture))
                out.mux(stream.encode(None))
            clip_of(source, tmp_path / "out.mp4", masks)
            clips.append((tmp_path / "out.mp4").read_bytes())
        assert clips[0] == clips[1]


def test_the_fill_is_hardly_larger_than_the_mask():
    """A mask takes at most 12 pixels more than was drawn, not a part of the picture that was not asked for."""
    video = av.VideoFrame.from_ndarray(np.full((720, 1280, 3), 200, np.uint8), format="rgb24")
    for size in ((1280, 720), (640, 360)):
        black = (frame_of(video, WINDOW).rgb(*size) == 0).all(axis=2)
        near = Image.fromarray(under(WINDOW.zones, *size)).convert("L").filter(ImageFilter.MaxFilter(25))
        assert not black[np.asarray(near) == 0].any()


def test_the_network_sees_the_fill_unless_the_site_says_otherwise():
    """`for_network` is masked by default; by choice it is not, and the picture for people still is."""
    video = av.VideoFrame.from_ndarray(np.full((90, 160, 3), 200, np.uint8), format="rgb24")
    blind = frame_of(video, WINDOW)
    seeing = frame_of(video, Masks(WINDOW.zones, blind_detector=False))
    hidden = under(WINDOW.zones, 160, 90)
    assert not blind.for_network.rgb(160, 90)[hidden].any()
    assert (seeing.for_network.rgb(160, 90) == 200).all()
    assert not seeing.rgb(160, 90)[hidden].any()
    assert video.to_ndarray(format="rgb24").min() == 200  # the decoder's own picture is not touched


def clip_of(source, path, masks, from_s=0.0):
    """A whole file as a clip of a camera with these masks."""
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        codec = Codec(stream)
        packets = [
            Kept(
                bytes(p),
                float(p.pts * p.time_base),
                float((p.pts - (p.dts or 0)) * p.time_base),
                p.is_keyframe,
            )
            for p in container.demux(stream)
            if p.size
        ]
    return write_clip(path, codec, packets, from_s, masks)


@pytest.mark.parametrize(
    ("name", "film"),
    [
        ("in.mp4", {}),
        ("in.mp4", {"b_frames": 2}),
        ("in.mp4", {"rotation": 90}),
        ("in.mp4", {"rotation": 180, "size": (162, 122)}),
        ("in.mp4", {"size": (333, 247), "pix_fmt": "yuv444p"}),
        ("in.mp4", {"size": (333, 247), "pix_fmt": "yuv444p", "rotation": -90}),
        ("in.mp4", {"pix_fmt": "yuv420p10le"}),
        ("in.mp4", {"codec": "libx265"}),
        ("in.avi", {"codec": "mjpeg", "pix_fmt": "yuvj422p"}),
        ("in.avi", {"codec": "mpeg4"}),
    ],
)
def test_no_masked_pixel_in_any_frame_of_a_clip(tmp_path, name, film):
    """The written MP4, decoded: upright, masked in every frame whatever the codec; the rest is there."""
    size = film.get("size", (320, 240))
    upright = size[::-1] if film.get("rotation") in (90, -90) else size
    source = peep_film(tmp_path / name, WINDOW.zones, **{"size": size} | film)
    assert n_seen(source) > 0, "the recording shows nothing to hide"
    clip_of(source, tmp_path / "out.mp4", WINDOW)
    with av.open(str(tmp_path / "out.mp4")) as clip:
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
        assert clip.streams.video[0].codec_context.name == "h264"
    assert len(frames) == 20
    hidden = under(WINDOW.zones, upright[0] & ~1, upright[1] & ~1)
    for frame in frames:
        assert frame.shape[:2] == hidden.shape
        assert frame[hidden].max() < 40
        assert np.median(frame[~hidden]) > 80
    assert n_seen(tmp_path / "out.mp4") == 0


def test_a_masked_camera_never_gets_its_packets_stored(tmp_path):
    """When a masked clip cannot be made there is no clip, never the packets as they came."""
    source = peep_film(tmp_path / "in.mp4", WINDOW.zones)
    with av.open(str(source)) as container:
        codec = Codec(container.streams.video[0])
    assert codec.playable
    rubbish = [Kept(b"\x00" * 50, k / 10, 0.0, k == 0) for k in range(5)]
    with pytest.raises(SourceUnreadable):
        write_clip(tmp_path / "out.mp4", codec, rubbish, 0.0, WINDOW)
    assert not (tmp_path / "out.mp4").exists() or (tmp_path / "out.mp4").stat().st_size == 0


def test_snapshot_and_tile_of_a_real_recording_are_masked(tmp_path):
    """The JPEGs that are stored and sent show none of the colour that is only under the mask."""
    source = peep_film(tmp_path / "in.mp4", WINDOW.zones, size=(800, 600))
    with av.open(str(source)) as container:
        video = next(container.decode(video=0))
    for jpeg in (frame_of(video, WINDOW).jpeg(), tile(frame_of(video, WINDOW))):
        pixels = np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)
        hidden = under(WINDOW.zones, pixels.shape[1], pixels.shape[0])
        assert pixels[hidden].max() < 40
        assert np.abs(pixels - np.array(COLOUR)).max(axis=2).min() > 60


def test_the_mask_version_tells_polygons_apart():
    """Same polygons, same version, whatever they are called; a moved corner is another; none is ""."""
    moved = Masks((Zone("window", ((0.25, 0.26), *WINDOW.zones[0].polygon[1:])),))
    renamed = Masks((Zone("door", WINDOW.zones[0].polygon),), blind_detector=False)
    assert NO_MASKS.version == ""
    assert len(WINDOW.version) == 64
    assert renamed.version == WINDOW.version
    assert moved.version != WINDOW.version


def test_an_older_workers_provenance_is_taken():
    """A worker that knows no masks sends no mask version, and is accepted."""
    told = {"run_id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "network": "n", "model_sha256": "a" * 64} | {
        "provider": "cpu", "rule_version": 1, "params": {}, "config_hash": "b" * 64, "software": "s"
    }  # fmt: skip
    assert Provenance(**told).mask_version == ""
    assert Provenance(**told, mask_version=WINDOW.version).mask_version == WINDOW.version
