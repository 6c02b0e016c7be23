"""The box of an alert lies within its picture and on the person who is in it: both are of one moment."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from support.running import Running
from support.scenario import scenario
from support.sink import TOKEN, Sink
from support.site import ZONE, camera, make_site, write_network

from benchmarks.pixelcode import write_video

PATHS = {
    "from the left edge": "path=0:20,400;3:300,400",
    "over the bottom edge": "path=0:300,400;3:300,600",
    "over the right edge": "path=0:500,400;3:635,400",
}


def _share(box: list[float], drawn: tuple[float, float, float, float]) -> float:
    """Intersection over union."""
    width, height = (min(box[k + 2], drawn[k + 2]) - max(box[k], drawn[k]) for k in (0, 1))
    common = max(0.0, width) * max(0.0, height)
    areas = [(one[2] - one[0]) * (one[3] - one[1]) for one in (box, drawn)]
    return common / (sum(areas) - common)


@pytest.fixture
def sink():
    server = Sink()
    yield server
    server.close()


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
def test_the_box_is_on_the_person_in_the_snapshot(tmp_path, monkeypatch, sink, path):
    """Whoever enters at an edge: 0 <= x0 < x1 <= W, 0 <= y0 < y1 <= H, and 0.8 of it is the block in the snapshot. (API-09)"""
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(write_network(tmp_path / "networks")))
    monkeypatch.setenv("WATCHPOST_TOKEN", TOKEN)
    film = write_video(tmp_path / "film.mp4", scenario(3, path))
    wide = ZONE | {"polygon": [[0, 0.1], [1, 0.1], [1, 1], [0, 1]]}
    rule = {"rule": "forbidden", "zone": ZONE["name"], "hold_s": 0.5, "gap_s": 0.2, "close_s": 1.0}
    table = camera("yard", film, zones=[wide], rules=[rule], analyse_fps=10.0)
    Running(make_site(tmp_path, sink.url, table), until_done=True).end()
    (opened,) = (alert for alert in sink.alerts.values() if alert["phase"] == "opened")
    pixels = np.asarray(Image.open(io.BytesIO(sink.media[opened["alert_id"], "snapshot"]))).astype(int)
    height, width, _ = pixels.shape
    x0, y0, x1, y1 = opened["box"]
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    red = (pixels[..., 0] > 150) & (pixels[..., 1] < 90)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    drawn = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert _share(opened["box"], drawn) >= 0.8
