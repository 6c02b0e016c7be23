"""Laws of drafts: what a clip shows so far is on disk while it grows, playable, and becomes the clip after a kill."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import av
import pytest
from support.alerts import alert_in
from support.barfilm import write_film

from api.schemas import MediaKind
from detector.zones import Zone
from streams.aftermath import settle
from streams.clips import Codec, Kept
from streams.evidence import Folder, Span
from streams.flow import Pipe
from streams.masks import Masks
from streams.outbox import Outbox, What
from streams.recorder import ClipRequest, ClipWriter, Cut, PacketRing, Recorder

MASKED = Masks((Zone("door", ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))),))
ALERT = alert_in(1).alert_id


@dataclass
class Taken(Pipe[Cut]):
    """A pipe whose writer takes everything at once, and notes it."""

    cuts: list[Cut] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(8)

    def offer(self, item: Cut) -> bool:
        self.cuts.append(item)
        return True


def record(film: Path, *requests: ClipRequest, cuts: Pipe[Cut]) -> None:
    """What a recorder makes of a film, its requests asked for at its beginning."""
    asked: Pipe[ClipRequest] = Pipe(8)
    abandon = threading.Event()
    for request in requests:
        asked.put(request, abandon)
    recorder = Recorder(PacketRing(60.0), asked, cuts, abandon, "yard", drafts=True)
    with av.open(str(film)) as source:
        recorder.begin(source.streams.video[0], 0)
        for packet in source.demux(video=0):
            if packet.size:
                recorder.add(packet, float(packet.pts * packet.time_base), packet.is_keyframe)
                recorder.tick()
        recorder.end()


def source_of(film: Path) -> tuple[Codec, list[Kept]]:
    with av.open(str(film)) as source:
        packets = source.demux(video=0)
        return Codec(source.streams.video[0]), [
            Kept(bytes(p), float(p.pts * p.time_base), 0.0, p.is_keyframe) for p in packets if p.size
        ]


def n_shown(path: Path) -> int:
    with av.open(str(path), format="mp4") as clip:
        return sum(1 for _ in clip.decode(video=0))


@pytest.fixture
def outbox(tmp_path):
    box = Outbox(tmp_path / "o.db")
    box.put_alert(alert_in(1))
    yield box
    box.close()


def write(folder: Folder, outbox: Outbox, *cuts: Cut) -> None:
    """What the writer makes of these cuts."""
    pipe: Pipe[Cut] = Pipe(8)
    for cut in cuts:
        pipe.offer(cut)
    pipe.close()
    ClipWriter(pipe, folder, outbox).run(threading.Event())


def test_a_clip_that_grows_has_drafts(tmp_path):
    """At once and every five seconds of it, each with all there is by then; then the whole."""
    request, taken = ClipRequest(uuid4(), "yard", 0, 1.0, 13.5), Taken()
    record(write_film(tmp_path / "in.mp4", 150), request, cuts=taken)
    assert [cut.draft for cut in taken.cuts] == [True, True, True, False]
    ends = [cut.found[1][-1].t for cut in taken.cuts]
    assert ends == [pytest.approx(t, abs=0.2) for t in (0.0, 5.0, 10.0, 13.5)]


@pytest.mark.parametrize(
    ("film", "masks"),
    [({}, MASKED), ({"codec": "mjpeg", "pix_fmt": "yuvj420p"}, Masks())],
    ids=["masked", "mjpeg"],
)
def test_what_must_be_encoded_has_no_draft(tmp_path, film, masks):
    """It would cost too much; and packets under a mask are never on disk."""
    request, taken = ClipRequest(uuid4(), "yard", 0, 1.0, 9.0, masks), Taken()
    record(write_film(tmp_path / ("in.avi" if film else "in.mp4"), 100, **film), request, cuts=taken)
    assert [cut.draft for cut in taken.cuts] == [False]


def test_no_draft_is_cut_while_a_clip_waits(tmp_path):
    """The writer that is behind has something better to do."""
    cuts: Pipe[Cut] = Pipe(8)
    early, late = (ClipRequest(uuid4(), "yard", 0, 1.0, until_t) for until_t in (3.0, 13.5))
    record(write_film(tmp_path / "in.mp4", 150), early, late, cuts=cuts)
    found = [cuts.get(0.0) for _ in range(len(cuts))]
    assert [(cut.request, cut.draft) for cut in found] == [(early, True), (early, False), (late, False)]


def test_the_newest_draft_is_kept_and_goes_with_the_whole_clip(tmp_path, outbox):
    """One file at a time, playable, named by what it shows; nothing of it is left beside the clip."""
    folder = Folder(tmp_path / "evidence")
    codec, packets = source_of(write_film(tmp_path / "in.mp4", 100))
    request = ClipRequest(ALERT, "yard", 0, 0.0, 9.0)
    for n in (30, 60):
        write(folder, outbox, Cut(request, (codec, packets[:n]), draft=True))
        path, span = folder.draft(ALERT)
        assert span == Span(0.0, pytest.approx(n / 10))
        assert n_shown(path) == n
        assert list(path.parent.iterdir()) == [path]
    write(folder, outbox, Cut(request, (codec, packets)))
    assert folder.draft(ALERT) is None
    assert [path.suffix for path in (tmp_path / "evidence").iterdir()] == [".mp4"]


def test_a_draft_goes_when_there_will_be_no_clip(tmp_path, outbox):
    """The clip is told missing: half of it would only be in the way."""
    folder = Folder(tmp_path / "evidence")
    codec, packets = source_of(write_film(tmp_path / "in.mp4", 30))
    request = ClipRequest(ALERT, "yard", 0, 0.0, 9.0)
    write(folder, outbox, Cut(request, (codec, packets), draft=True), Cut(request, "no pictures"))
    assert list((tmp_path / "evidence").iterdir()) == []


def test_after_a_kill_the_last_draft_is_the_clip(tmp_path, outbox):
    """It is sent as what it is, with a note; an older draft and half of a newer one go (CLP-02)."""
    folder = Folder(tmp_path / "evidence")
    codec, packets = source_of(write_film(tmp_path / "in.mp4", 100))
    request = ClipRequest(ALERT, "yard", 0, 0.0, 9.0)
    write(folder, outbox, Cut(request, (codec, packets[:60]), draft=True))
    path, _ = folder.draft(ALERT)
    older = path.with_name(path.name.replace("-6000.", "-3000."))
    older.write_bytes(path.read_bytes())
    path.with_name(f"{ALERT}-clip.draft.part").write_bytes(b"half")
    settle(outbox, folder, None)
    assert list((tmp_path / "evidence").iterdir()) == [path]
    told = {}
    while (item := outbox.next()) is not None:
        outbox.done(item.seq)
        told[item.what, item.kind] = item
    clip = told[What.MEDIA, MediaKind.CLIP]
    assert clip.path == path
    assert json.loads(clip.body) == {
        "start_t": 0.0, "duration_s": 6.0, "note": "short post-roll: the worker was interrupted",
    }  # fmt: skip
    assert (What.MISSING, MediaKind.SNAPSHOT) in told


def test_a_draft_that_finds_no_room_is_left_out(tmp_path, outbox, monkeypatch):
    """The one before it stays, and the clip itself is tried all the same."""
    folder = Folder(tmp_path / "evidence")
    codec, packets = source_of(write_film(tmp_path / "in.mp4", 60))
    request = ClipRequest(ALERT, "yard", 0, 0.0, 9.0)
    write(folder, outbox, Cut(request, (codec, packets[:30]), draft=True))
    room = folder.room
    monkeypatch.setattr(Folder, "room", property(lambda _: replace(room, free=0)))
    write(folder, outbox, Cut(request, (codec, packets), draft=True))
    _, span = folder.draft(ALERT)
    assert span.duration_s == pytest.approx(3.0)
    write(folder, outbox, Cut(request, (codec, packets)))
    item = None
    while (row := outbox.next()) is not None:
        outbox.done(row.seq)
        item = row
    assert (item.what, item.kind) == (What.MISSING, MediaKind.CLIP)
