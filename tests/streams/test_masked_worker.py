"""Laws of masks end to end: what a real worker stores and sends of a masked camera hides what it must."""

from __future__ import annotations

import io
import threading

import av
import numpy as np
import pytest
from PIL import Image
from support.masked import under
from support.sink import TOKEN, Sink
from support.site import camera, gathering, make_site, write_network

from detector.zones import Zone
from streams.worker import run_worker

# Where the film's green clock walks, and where its top edge tells the network what to see.
CLOCK = {"name": "clock", "polygon": [[0, 0.95], [1, 0.95], [1, 1], [0, 1]]}
CODE = {"name": "code", "polygon": [[0, 0], [1, 0], [1, 0.075], [0, 0.075]]}


@pytest.fixture
def sink(tmp_path, monkeypatch):
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(write_network(tmp_path / "networks")))
    monkeypatch.setenv("WATCHPOST_TOKEN", TOKEN)
    server = Sink()
    yield server
    server.close()


def watch(tmp_path, sink, **masks):
    """Run a worker on a recording of a gathering to its end; gives the pictures of the one alert and the tile."""
    source = gathering(tmp_path / "in.mp4", 25, until_s=12)
    site = make_site(tmp_path, sink.url, camera("yard", source, **masks))
    run_worker(site, threading.Event(), until_done=True)
    pictures = [np.asarray(Image.open(io.BytesIO(sink.pictures["yard"])))]
    for (_, kind), content in sink.media.items():
        if kind == "snapshot":
            pictures.append(np.asarray(Image.open(io.BytesIO(content))))
        if kind == "clip":
            with av.open(io.BytesIO(content)) as clip:
                pictures += [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    return site, pictures


def brightest(pictures, mask):
    """The brightest pixel under a mask in any of the pictures."""
    zone = Zone(mask["name"], tuple(map(tuple, mask["polygon"])))
    hidden = {size: under([zone], *size) for size in {(p.shape[1], p.shape[0]) for p in pictures}}
    return max(int(picture[hidden[picture.shape[1], picture.shape[0]]].max()) for picture in pictures)


def test_everything_that_leaves_a_masked_camera_is_masked(tmp_path, sink):
    """Snapshot, tile and every frame of the clip: nothing of the clock, all of the people, version told."""
    site, pictures = watch(tmp_path, sink, masks=[CLOCK])
    assert len(pictures) > 100
    assert brightest(pictures, CLOCK) < 40
    for picture in pictures:
        assert not ((picture[..., 1] > 120) & (picture[..., 0] < 90)).any(), "the clock is seen"
    people = [((p[..., 0] > 150) & (p[..., 1] < 90)).sum() for p in pictures]
    assert np.median(people) > 1000
    told = [alert["provenance"] for alert in sink.alerts.values()]
    assert {one["mask_version"] for one in told} == {site.cameras[0].masks.version}
    assert {one["config_hash"] for one in told} == {site.config_hash}


def test_a_masked_detector_sees_nothing_under_the_mask(tmp_path, sink):
    """By default a person under a mask raises no alert."""
    watch(tmp_path, sink, masks=[CODE])
    assert not sink.alerts


def test_by_choice_the_detector_looks_under_the_mask_and_people_do_not(tmp_path, sink):
    """With masks_blind_detector = false the alert comes, and its pictures are masked all the same."""
    _, pictures = watch(tmp_path, sink, masks=[CODE], masks_blind_detector=False)
    assert {key[1] for key in sink.alerts} == {"opened", "closed"}
    assert len(pictures) > 100
    assert brightest(pictures, CODE) < 40
