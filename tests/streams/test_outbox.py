"""Laws of the outbox: on disk before it returns, in order, once, and readable again after any crash."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.alerts import RUN, alert_in
from support.disks import fill, small_disk

from api.schemas import MediaKind
from detector.errors import StorageError
from detector.types import Phase
from streams.outbox import Outbox, What

REPO = Path(__file__).parents[2]


@pytest.fixture
def outbox(tmp_path):
    box = Outbox(tmp_path / "outbox.db")
    yield box
    box.close()


def drain(box):
    items = []
    while (item := box.next()) is not None:
        items.append(item)
        box.done(item.seq)
    return items


def test_rows_leave_in_the_order_they_came(outbox):
    """First in, first out, whatever the kind of row; an alert's evidence never before the alert."""
    a = alert_in(1)
    outbox.put_alert(a)
    outbox.put_media(a.alert_id, MediaKind.SNAPSHOT, Path("/x.jpg"))
    outbox.put_missing(a.alert_id, MediaKind.CLIP, "disk full")
    outbox.put_alert(alert_in(1, Phase.CLOSED, 1))
    items = drain(outbox)
    assert [(i.what, i.kind) for i in items] == [
        (What.ALERT, None),
        (What.MEDIA, MediaKind.SNAPSHOT),
        (What.MISSING, MediaKind.CLIP),
        (What.ALERT, None),
    ]
    assert items[1].path == Path("/x.jpg")
    assert items[2].body == '{"reason": "disk full"}'


def test_a_repeated_put_is_ignored(outbox):
    """The same alert, phase and revision is one row; another revision is another."""
    assert outbox.put_alert(alert_in(1))
    assert not outbox.put_alert(alert_in(1))
    assert outbox.put_alert(alert_in(1, Phase.UPDATED, 1))
    assert outbox.n_waiting == 2


def test_there_is_one_word_on_each_piece_of_evidence(outbox):
    """Once said to be there or missing, a piece of evidence is not spoken of again; nor before its alert."""
    a = alert_in(1)
    assert not outbox.put_missing(a.alert_id, MediaKind.CLIP, "no alert yet")
    outbox.put_alert(a)
    assert outbox.put_media(a.alert_id, MediaKind.CLIP, Path("/c.mp4"), 1.5, 10.0)
    assert not outbox.put_missing(a.alert_id, MediaKind.CLIP, "late")
    assert outbox.due_media() == [(a.alert_id, MediaKind.SNAPSHOT), (a.alert_id, MediaKind.OVERLAY)]


def test_refused_rows_stay_and_are_counted(outbox):
    """A refused row is not sent again and not lost."""
    outbox.put_alert(alert_in(1))
    outbox.put_alert(alert_in(2))
    first = outbox.next()
    outbox.refuse(first.seq, "422")
    assert outbox.next().alert_id == alert_in(2).alert_id
    assert (outbox.n_waiting, outbox.n_refused) == (1, 1)


def test_next_can_leave_out_alerts(outbox):
    """Skipping one alert gives the oldest row of the others."""
    outbox.put_alert(alert_in(1))
    outbox.put_alert(alert_in(2))
    assert outbox.next({alert_in(1).alert_id}).alert_id == alert_in(2).alert_id
    assert outbox.next({alert_in(1).alert_id, alert_in(2).alert_id}) is None


def test_open_alerts_are_those_without_an_end(outbox):
    """The newest phase of an open alert is kept, whether it was delivered or not, until it is closed."""
    outbox.put_alert(alert_in(1))
    outbox.put_alert(alert_in(2))
    outbox.put_alert(alert_in(2, Phase.UPDATED, 1))
    drain(outbox)
    assert outbox.open_alerts() == [alert_in(1), alert_in(2, Phase.UPDATED, 1)]
    outbox.put_alert(alert_in(1, Phase.CLOSED, 1))
    assert outbox.open_alerts() == [alert_in(2, Phase.UPDATED, 1)]


def test_a_lost_file_becomes_the_word_that_it_is_missing(outbox):
    """A row whose file vanished keeps its place and says so."""
    outbox.put_alert(alert_in(1))
    outbox.put_media(alert_in(1).alert_id, MediaKind.CLIP, Path("/c.mp4"), 1.5, 10.0)
    outbox.done(outbox.next().seq)
    outbox.lost(outbox.next().seq, "gone")
    item = outbox.next()
    assert (item.what, item.kind, item.path) == (What.MISSING, MediaKind.CLIP, None)
    assert outbox.paths() == set()


def test_all_is_there_after_reopening(tmp_path):
    """What was put is read back by the next process."""
    box = Outbox(tmp_path / "o.db")
    box.put_alert(alert_in(1))
    box.put_media(alert_in(1).alert_id, MediaKind.SNAPSHOT, tmp_path / "s.jpg")
    box.close()
    box = Outbox(tmp_path / "o.db")
    assert box.paths() == {tmp_path / "s.jpg"}
    assert [i.what for i in drain(box)] == [What.ALERT, What.MEDIA]
    box.close()


def test_a_commit_is_a_full_sync(outbox):
    """The file is in WAL mode and every commit waits for the disk."""
    outbox.put_alert(alert_in(1))
    db = outbox._connection()
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_threads_put_at_the_same_time(outbox):
    """Rows of many threads are all kept, each thread's in its order."""
    go = threading.Barrier(4)

    def put(k):
        go.wait(10)
        for n in range(25):
            outbox.put_alert(alert_in(100 * k + n))

    threads = [threading.Thread(target=put, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    order = [item.alert_id for item in drain(outbox)]
    assert len(order) == 100
    for k in range(4):
        mine = [alert_in(100 * k + n).alert_id for n in range(25)]
        assert [a for a in order if a in set(mine)] == mine


CHILD = """
import sys
from pathlib import Path
sys.path[:0] = [{repo!r}, {tests!r}]
from support.alerts import alert_in
from streams.outbox import Outbox
box = Outbox(Path(sys.argv[1]))
for n in range(100_000):
    box.put_alert(alert_in(n))
    sys.stdout.write(f"{{n}}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("lines", [1, 7, 60])
def test_kill_9_keeps_every_put_that_returned(tmp_path, lines):
    """After a kill -9 amid puts the file opens and holds an unbroken run from the first put on."""
    code = CHILD.format(repo=str(REPO), tests=str(REPO / "tests"))
    path = tmp_path / "o.db"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        for _ in range(lines):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
        said = lines + len(child.stdout.read().splitlines())
    box = Outbox(path)
    kept = [item.alert_id for item in drain(box)]
    assert len(kept) in (said, said + 1)  # the last one may have been committed but not yet told
    assert kept == [alert_in(n).alert_id for n in range(len(kept))]
    assert len(box.open_alerts()) == len(kept)
    box.close()


def test_a_broken_file_says_what_to_do(tmp_path):
    """A file that is no database, or a damaged one, is a StorageError that names it and the way out."""
    path = tmp_path / "o.db"
    path.write_text("this is not a database, it is a letter to the next one who comes here\n" * 20)
    with pytest.raises(StorageError, match=r"o\.db.*Move the file away"):
        Outbox(path)


def test_a_torn_file_is_noticed_at_the_start(tmp_path):
    """Pages cut off or overwritten are found when the outbox is opened, not at the first alert."""
    path = tmp_path / "o.db"
    box = Outbox(path)
    for n in range(50):
        box.put_alert(alert_in(n))
    box.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 8192))
    with pytest.raises(StorageError, match="outbox cannot be used"):
        Outbox(path)


def test_another_version_is_refused(tmp_path):
    """A file of another schema is not touched."""
    path = tmp_path / "o.db"
    Outbox(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StorageError, match="another version"):
        Outbox(path)


def test_an_impossible_folder_is_a_storage_error(tmp_path):
    """A state folder that cannot be made is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        Outbox(tmp_path / "file" / "o.db")


def test_a_read_only_file_is_a_storage_error(outbox):
    """A put into a file that may not be written says so."""
    outbox._connection().execute("PRAGMA query_only = ON")
    with pytest.raises(StorageError, match="Make the file and its folder writable"):
        outbox.put_alert(alert_in(1))


def test_a_full_disk_is_a_storage_error_and_passes(outbox):
    """A put that finds no room raises, leaves the file whole, and works again when there is room."""
    outbox.put_alert(alert_in(0))
    db = outbox._connection()
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")

    def put_many():
        for n in range(1, 5000):
            outbox.put_alert(alert_in(n))

    with pytest.raises(StorageError, match="Make room"):
        put_many()
    kept = outbox.n_waiting
    db.execute("PRAGMA max_page_count = 100000")
    assert outbox.put_alert(alert_in(9000))
    assert outbox.n_waiting == kept + 1


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["put", "next", "done", "refuse"])), max_size=30)
)
def test_rows_are_sent_refused_or_waiting(tmp_path_factory, steps):
    """Whatever the order of calls, each put row is in exactly one place."""
    box = Outbox(tmp_path_factory.mktemp("o") / "o.db")
    waiting: list[UUID] = []
    refused: set[UUID] = set()
    for n, (k, what) in enumerate(steps):
        head = box.next()
        assert (head.alert_id if head else None) == (waiting[0] if waiting else None)
        if what == "put":
            box.put_alert(alert_in(10 * n + k))
            waiting.append(uuid5(RUN, str(10 * n + k)))
        elif head and what == "done":
            box.done(head.seq)
            waiting.pop(0)
        elif head and what == "refuse":
            box.refuse(head.seq, "why")
            refused.add(waiting.pop(0))
    assert (box.n_waiting, box.n_refused) == (len(waiting), len(refused))
    box.close()


def test_alerts_are_stored_on_a_disk_that_others_have_filled_to_the_last_byte(tmp_path):
    """Without one free byte alerts and their ends are stored and sent on, again and again, in the outbox's own room. (CLP-01)"""
    with small_disk(tmp_path / "disk") as disk:
        box = Outbox(disk / "outbox.db")
        fill(disk)
        for turn in range(20):
            for n in range(50 * turn, 50 * turn + 50):
                assert box.put_alert(alert_in(n))
                for kind in MediaKind:
                    assert box.put_missing(alert_in(n).alert_id, kind, "not stored: disk full")
                assert box.put_alert(alert_in(n, Phase.CLOSED, 1))
            assert len(drain(box)) == 250
        box.close()


def test_a_full_disk_at_the_start_is_no_reason_not_to_start(tmp_path):
    """Room that cannot be taken is said, and the outbox opens all the same."""
    with small_disk(tmp_path / "disk") as disk:
        Outbox(disk / "outbox.db").close()
        fill(disk, leave=120_000)
        box = Outbox(disk / "outbox.db")
        assert box.put_alert(alert_in(1))
        box.close()
