"""What a clip promises whatever happens: whole or not there, as much as there was and said so, named by nothing typed."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import threading
from pathlib import Path
from uuid import uuid4

import av
import numpy as np
import pytest
from support.alerts import alert_in
from support.barfilm import write_film
from support.sink import TOKEN, Sink
from support.site import camera, gathering, make_site, write_network

from api.schemas import MediaKind
from streams.clips import Codec, Kept, write_clip
from streams.config import parse_site
from streams.evidence import Folder, Span
from streams.flow import Pipe
from streams.outbox import Outbox
from streams.recorder import ClipRequest, ClipWriter, Cut, shortfall
from streams.worker import run_worker

ROOT = Path(__file__).parents[2]
_WRITER = """
import sys
from pathlib import Path
from uuid import uuid4
import av
from api.schemas import MediaKind
from streams.clips import Codec, Kept, write_clip
from streams.evidence import Folder

with av.open(sys.argv[1]) as source:
    stream = source.streams.video[0]
    codec = Codec(stream)
    packets = [Kept(bytes(p), float(p.pts * p.time_base), 0.0, p.is_keyframe) for p in source.demux(stream) if p.size]
folder = Folder(Path(sys.argv[2]))
while True:
    with folder.place(uuid4(), MediaKind.CLIP, 10_000) as part:
        print("writing", flush=True)
        write_clip(part, codec, packets, 0.0)
"""


def clip_source(path):
    """A codec and its packets, the pictures at 10 a second from stream second 0 on."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        packets = source.demux(stream)
        return Codec(stream), [
            Kept(bytes(p), float(p.pts * p.time_base), 0.0, p.is_keyframe) for p in packets if p.size
        ]


def test_a_kill_while_a_clip_is_written_leaves_no_half_clip(tmp_path):
    """SIGKILL at random moments: all that has a final name plays to its end, the rest goes at the next start (CLP-02)."""
    film = write_film(tmp_path / "in.avi", 60, codec="mjpeg", pix_fmt="yuvj420p")
    evidence, dice, n_kills, n_parts = tmp_path / "evidence", random.Random(5), 0, 0
    surroundings = os.environ | {"PYTHONPATH": str(ROOT)}
    while n_kills < 4 or (
        not n_parts and n_kills < 30
    ):  # on a busy machine a kill may come before the writing
        n_kills += 1
        command = [sys.executable, "-c", _WRITER, str(film), str(evidence)]
        with subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE) as child:
            for _ in range(dice.randint(1, 4)):
                assert child.stdout.readline() == b"writing\n"
            threading.Event().wait(dice.random() * 0.05)
            child.kill()
        for clip in evidence.glob("*.mp4"):
            with av.open(str(clip)) as container:
                assert sum(1 for _ in container.decode(video=0)) == 60
        whole = set(evidence.glob("*.mp4"))
        n_parts += Folder(evidence).sweep(whole)
        assert set(evidence.iterdir()) == whole
    assert n_parts > 0, "no kill fell into the writing of a clip"


def test_what_a_clip_falls_short_of_is_put_into_words():
    """Half a second missing at an end is said, more at the start is not, nothing missing is nothing (CLP-05)."""
    request = ClipRequest(uuid4(), "yard", 0, 10.0, 40.0)
    assert shortfall(request, Span(8.0, 32.0)) is None
    assert shortfall(request, Span(10.4, 29.2)) is None
    assert "begins 3.5 s later" in shortfall(request, Span(13.5, 30.0))
    assert "ends 10.0 s earlier" in shortfall(request, Span(10.0, 20.0))
    assert shortfall(request, Span(15.0, 5.0)).count("short p") == 2


def test_an_alert_soon_after_the_start_has_what_there_is_and_says_so(tmp_path):
    """5 s of pre-roll wanted, 1 s there: the clip has it, and its row in the outbox says "short pre-roll" (CLP-05)."""
    outbox = Outbox(tmp_path / "outbox.db")
    alert = alert_in(1)
    outbox.put_alert(alert)
    found = clip_source(write_film(tmp_path / "in.mp4", 40))
    cuts = Pipe(1)
    cuts.put(Cut(ClipRequest(alert.alert_id, "yard", 0, -4.0, 4.0), found), threading.Event())
    cuts.close()
    ClipWriter(cuts, Folder(tmp_path / "evidence"), outbox).run(threading.Event())
    outbox.done(outbox.next().seq)
    told = json.loads(outbox.next().body)
    outbox.close()
    assert (told["start_t"], told["duration_s"]) == (0.0, pytest.approx(4.0, abs=0.01))
    assert told["note"].startswith("short pre-roll: it begins 4.0 s later")


def test_names_are_labels_and_never_part_of_a_path(tmp_path):
    """Any name that can be shown is taken, and evidence lies under the alert's id alone (CLP-08)."""
    names = [
        "front_door",
        "Front Door",
        "front door",
        "a/b",
        "..",
        "Tor-Überwachung 北",
        "CON",
        "-x",
        "%2e",
        "N" * 100,
    ]
    tables = [
        {
            "id": f"cam-{k}",
            "source": "a.mp4",
            "name": name,
            "masks": [{"name": name, "polygon": [[0, 0], [1, 0], [1, 1]]}],
        }
        for k, name in enumerate(names)
    ]
    site = parse_site({"cameras": tables}, tmp_path, {})
    assert [one.name for one in site.cameras] == names
    alert_id = uuid4()
    where = Folder(tmp_path / "e").path(alert_id, MediaKind.CLIP)
    assert where == tmp_path / "e" / f"{alert_id}-clip.mp4"
    for wrong in ("Cam", "a/b", "..", "北", "a" * 65, "-x", "%2e"):
        site = parse_site({"cameras": [{"id": wrong, "source": "a.mp4"}]}, tmp_path, {})
        assert "cameras[0].id" in str(site.rejected[0])


def test_a_clip_is_never_too_large_to_send(tmp_path):
    """A picture of pure noise, the dearest there is, is held to the cap: 12 Mbit a second and a buffer of 24."""
    noise = np.random.default_rng(1)
    with av.open(str(tmp_path / "in.avi"), "w") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuvj420p"
        stream.bit_rate = 200_000_000
        for _ in range(75):
            rgb = noise.integers(0, 256, (480, 640, 3), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        out.mux(stream.encode(None))
    codec, packets = clip_source(tmp_path / "in.avi")
    span = write_clip(tmp_path / "out.mp4", codec, packets, 0.0)
    assert (tmp_path / "out.mp4").stat().st_size * 8 < 12e6 * span.duration_s + 24e6 + 1e6


def test_the_mark_reaches_the_service(tmp_path, monkeypatch):
    """A real worker, people who stand there from the first picture on: the clip comes with its note (CLP-05)."""
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(write_network(tmp_path / "networks")))
    monkeypatch.setenv("WATCHPOST_TOKEN", TOKEN)
    sink = Sink()
    source = gathering(tmp_path / "in.mp4", 12)
    run_worker(make_site(tmp_path, sink.url, camera("yard", source)), threading.Event(), until_done=True)
    sink.close()
    ((alert_id, kind),) = sink.notes
    assert kind == "clip"
    assert sink.spans[alert_id, kind][0] == 0.0
    assert re.search(
        r"short pre-roll: it begins [45]\.\d s later.*short post-roll", sink.notes[alert_id, kind]
    )
