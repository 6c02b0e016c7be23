"""Laws of what is drawn on a view: another shape of picture asks to check it, another size does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import pytest
from support.people import stamp
from support.running import Running
from support.sink import TOKEN, Sink
from support.site import ZONE, camera, gathering, make_site, write_network

from detector.zones import Zone
from streams.config import Camera, parse_site
from streams.drawn import Drawn


def yard(folder: Path, **more: object) -> Camera:
    return parse_site({"cameras": [camera("yard", "rtsp://cam/yard", **more)]}, folder).cameras[0]


def warning(folder: Path, one: Camera, *sizes: tuple[int, int]) -> str:
    """What is said after pictures of these sizes, by a worker that has just started."""
    drawn = Drawn(folder, one)
    for t, size in enumerate(sizes):
        drawn.look(stamp(float(t), size=size))
    return drawn.warning


def test_another_shape_asks_to_check_until_it_is_drawn_anew(tmp_path: Path) -> None:
    """Another ratio warns, over restarts too; the old ratio or newly drawn zones end that (TRK-03)."""
    one = yard(tmp_path)
    assert warning(tmp_path, one, (640, 640)) == ""
    wide = warning(tmp_path, one, (640, 320))
    assert wide == "check zones: what is drawn here was drawn on a picture of 640x640, and it is 640x320 now"
    assert warning(tmp_path, one, (640, 640), (640, 320)) == wide
    assert warning(tmp_path, one, (640, 320), (640, 640)) == ""
    moved = replace(one, zones=(Zone("lawn", ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9))),))
    assert warning(tmp_path, moved, (640, 320)) == ""
    assert warning(tmp_path, moved, (640, 640)) != ""


@pytest.mark.parametrize("size", [(320, 320), (1280, 1280), (1920, 1920), (640, 648)])
def test_another_size_of_the_same_shape_is_fine(tmp_path: Path, size: tuple[int, int]) -> None:
    """Zones are 0-1 of the picture: half or twice of it, or rounded up by the encoder, is no reason (TRK-03)."""
    assert warning(tmp_path, yard(tmp_path), (640, 640), size) == ""


def test_what_else_is_drawn_counts_and_nothing_drawn_is_fine(tmp_path: Path) -> None:
    """Lines, masks and the ground are drawn too; a camera with nothing drawn is never warned of, and has no file."""
    bare: dict[str, object] = {"zones": [], "rules": []}
    assert warning(tmp_path / "none", yard(tmp_path, **bare), (640, 640), (640, 320)) == ""
    assert not (tmp_path / "none").exists()
    ground = {"corners": [[0.3, 0.3], [0.7, 0.3], [0.9, 0.9], [0.1, 0.9]], "width_m": 5.0, "depth_m": 9.0}
    for name, more in (
        ("lines", {"lines": [{"name": "door", "points": [[0.2, 0.5], [0.8, 0.5]]}]}),
        ("masks", {"masks": [{"name": "window", "polygon": ZONE["polygon"]}]}),
        ("ground", {"ground": ground}),
    ):
        assert warning(tmp_path / name, yard(tmp_path, **bare, **more), (640, 640), (640, 320)) != ""


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"null",
        b"\xff",
        b'{"version": 2}',
        b'{"camera_id": "yard", "drawn": "", "width": 0, "height": 1}',
    ],
)
def test_a_damaged_file_costs_the_warning_and_nothing_else(tmp_path: Path, damage: bytes) -> None:
    """What cannot be read is taken anew; a folder that cannot be written harms nobody."""
    one = yard(tmp_path)
    (tmp_path / "yard-drawn.json").write_bytes(damage)
    assert warning(tmp_path, one, (640, 320)) == ""
    told = json.loads((tmp_path / "yard-drawn.json").read_text())
    assert (told["width"], told["height"]) == (640, 320)
    (tmp_path / "file").write_bytes(b"")
    assert warning(tmp_path / "file" / "below", one, (640, 640), (640, 320)) == ""


def scaled(source: Path, width: int, height: int) -> Path:
    """The same recording at another size."""
    out = source.with_name(f"{width}x{height}.mp4")
    with av.open(str(source)) as src, av.open(str(out), "w") as dst:
        stream = dst.add_stream("libx264", rate=src.streams.video[0].average_rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in src.decode(video=0):
            dst.mux(stream.encode(frame.reformat(width, height)))
        dst.mux(stream.encode())
    return out


def test_a_person_sees_that_zones_must_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose camera comes back in another shape says so in its pulse, where the console shows it (TRK-03)."""
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(write_network(tmp_path / "networks")))
    monkeypatch.setenv("WATCHPOST_TOKEN", TOKEN)
    whole = gathering(tmp_path / "s.mp4", 2)
    told = []
    for film in (whole, scaled(whole, 320, 320), scaled(whole, 640, 320)):
        sink = Sink()
        Running(make_site(tmp_path, sink.url, camera("yard", film)), until_done=True).end()
        told.append(sink.beats[-1]["cameras"][0]["reason"])
        sink.close()
    assert ["check zones" in reason for reason in told] == [False, False, True]
