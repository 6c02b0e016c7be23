"""The codec table of clips: whatever a camera sends, a real Chromium plays its clip to the end (CLP-03, CLP-04)."""

from __future__ import annotations

import base64
import io
import threading
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image
from support.barfilm import number_of, turn, write_film
from support.browser import chromium
from support.footage import join, write_raw

from detector.zones import Zone
from streams.clips import write_clip
from streams.config import parse_site
from streams.flow import Board, Pipe
from streams.masks import NO_MASKS, Masks
from streams.reader import Reader
from streams.recorder import ClipRequest, PacketRing, Recorder

pytestmark = pytest.mark.browser

FPS, N = 10, 30
FROM_S, UNTIL_S = 0.5, 2.2  # of each source; pictures 5 to 22
LOWER = Masks((Zone("lower", ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0))),))

_PLAY = """async (content) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const video = document.createElement("video");
  const happens = (name) => new Promise((done, fail) => {
    video.addEventListener(name, done, { once: true });
    video.addEventListener("error", () => fail(new Error(video.error.message)), { once: true });
    setTimeout(() => fail(new Error(`${name} did not happen`)), 20000);
  });
  const drawn = () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    return canvas.toDataURL("image/png").split(",")[1];
  };
  // A picture is there to be drawn only when it has been put on the page.
  const shown = () => new Promise((done) => video.requestVideoFrameCallback(done));
  video.muted = true;
  document.body.replaceChildren(video);
  const loaded = Promise.all([happens("loadeddata"), shown()]);
  video.src = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
  await loaded;
  const first = drawn();
  const ended = happens("ended");
  video.playbackRate = 4;
  await video.play();
  await ended;
  const { ended: atEnd, currentTime: at } = video;
  const sought = Promise.all([happens("seeked"), shown()]);
  video.currentTime = video.duration - 0.001;
  await sought;
  return {
    first, last: drawn(), atEnd, at, duration: video.duration,
    size: [video.videoWidth, video.videoHeight],
  };
}"""


@pytest.fixture(scope="module")
def play():
    """Plays a clip from its first to its last picture; what the video element said and drew."""
    with chromium() as browser:
        page = browser.new_page()

        def run(path) -> dict[str, Any]:
            told = page.evaluate(_PLAY, base64.b64encode(path.read_bytes()).decode())
            for name in ("first", "last"):
                picture = Image.open(io.BytesIO(base64.b64decode(told[name])))
                told[name] = np.asarray(picture.convert("RGB"))
            return told

        yield run


@dataclass(frozen=True)
class Row:
    """One row of the table: what the camera sends, and what the clip must be."""

    name: str = "in.mp4"
    film: dict[str, Any] = field(default_factory=dict)
    turns: int = 0  # clockwise quarters of the display matrix
    size: tuple[int, int] = (448, 96)  # as shown
    first: int = 5  # number of the clip's first picture; a remuxed clip begins at a keyframe
    masks: Masks = NO_MASKS


ROWS = {
    "h264": Row(first=0),
    "h264 b-frames": Row(film={"b_frames": 2}, first=0),
    "h264 one long group": Row(film={"gop": 250}, first=0),
    "h264 10 bit": Row(film={"pix_fmt": "yuv420p10le"}),
    "h264 4:4:4 odd size": Row(film={"pix_fmt": "yuv444p", "size": (333, 247)}, size=(332, 246)),
    "h264 turned": Row(turns=1, size=(96, 448), first=0),
    "h264 masked": Row(masks=LOWER),
    "h264 b-frames masked and turned": Row(film={"b_frames": 2}, turns=1, size=(96, 448), masks=LOWER),
    "hevc": Row(film={"codec": "libx265"}),
    "hevc b-frames": Row(film={"codec": "libx265", "b_frames": 3}),
    "hevc turned": Row(film={"codec": "libx265"}, turns=1, size=(96, 448)),
    "mjpeg": Row("in.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    "mjpeg 4:4:4 odd size": Row(
        "in.avi", {"codec": "mjpeg", "pix_fmt": "yuvj444p", "size": (333, 247)}, size=(332, 246)
    ),
    "mpeg-4 part 2": Row("in.mp4", {"codec": "mpeg4"}),
    "h264 and a-law sound": Row("in.avi", {"alaw": True}, first=0),
    "mpeg-4 and a-law sound": Row("in.avi", {"codec": "mpeg4", "alaw": True}),
}


def record(source, folder, *requests, masks=NO_MASKS):
    """Read a file as the worker does and write the clips asked for: (epoch, from, until) -> (path, span)."""
    asked, cuts, stop = Pipe(10), Pipe(10), threading.Event()
    recorder = Recorder(PacketRing(60.0), asked, cuts, stop, "yard")
    content = {"cameras": [{"id": "yard", "source": str(source), "pace": "fast"}]}
    camera = parse_site(content, folder).cameras[0]
    Reader(camera, Board(), recorder, lambda health: None).run(stop)
    wanted = [ClipRequest(uuid4(), "yard", *request, masks) for request in requests]
    for request in wanted:
        asked.put(request, stop)
    asked.close()
    recorder.serve()
    clips = []
    for request in wanted:
        cut = cuts.get(0.0)
        assert cut.request == request
        assert not isinstance(cut.found, str), cut.found
        path = folder / f"{request.alert_id}.mp4"
        clips.append((path, write_clip(path, *cut.found, request.from_t, request.masks)))
    return clips


def number(rgb, turns=0):
    upright = np.rot90(rgb, turns)
    assert (upright[:, :, 1].mean(axis=0) > 180).any(), "no bar is drawn"
    return number_of(upright)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_clip_plays_to_its_end(tmp_path, play, row):
    """Right size, length and pictures, first to last, as the browser itself draws them (CLP-03, CLP-04)."""
    source = turn(write_film(tmp_path / row.name, N, **row.film), row.turns) if row.turns else None
    source = source or write_film(tmp_path / row.name, N, **row.film)
    ((path, span),) = record(source, tmp_path, (0, FROM_S, UNTIL_S), masks=row.masks)
    told = play(path)
    assert told["atEnd"]
    assert tuple(told["size"]) == row.size
    assert told["duration"] == pytest.approx(span.duration_s, abs=0.35 if "b_frames" in row.film else 0.05)
    assert told["at"] == pytest.approx(told["duration"], abs=0.05)
    assert span.start_t <= FROM_S
    assert span.start_t + span.duration_s >= UNTIL_S
    upper = (slice(0, row.size[1] // 3), slice(None)) if row.masks else (slice(None), slice(None))
    first, last = (number(told[name][upper], row.turns) for name in ("first", "last"))
    if row.masks and row.turns:  # the bar lies across and has left the part that is not masked
        assert told["first"][: row.size[1] // 3].max() > 60
    else:
        assert first == row.first
        assert last >= int(UNTIL_S * FPS)
    if row.masks:
        assert max(told[name][row.size[1] // 2 :].max() for name in ("first", "last")) < 40


def test_a_change_of_size_gives_a_clip_of_each_size(tmp_path, play):
    """A camera that changes its picture size in mid-stream: a clip of each stretch, each played to its end."""
    small, large = (
        write_raw(write_film(tmp_path / f"{name}.mp4", N, size=size), tmp_path / f"{name}.h264")
        for name, size in (("small", (448, 96)), ("large", (512, 192)))
    )
    both = join([small, large], tmp_path / "both.h264")
    clips = record(both, tmp_path, (0, 0.0, 60.0), (1, 0.0, 60.0))
    for (path, span), size in zip(clips, [(448, 96), (512, 192)], strict=True):
        told = play(path)
        assert told["atEnd"]
        assert tuple(told["size"]) == size
        assert told["duration"] == pytest.approx(span.duration_s, abs=0.05)
        assert number(told["first"]) == 0
        assert number(told["last"]) == N - 1
