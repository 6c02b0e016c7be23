"""Nothing of how anybody looks is stored, and nobody is known again: over a whole worker and service, twice.

A vector that describes a person would be a blob, or a row of numbers. So every byte that worker and service keep
is looked through: there is no blob, and every row of numbers is one of those named here.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from support.live_api import start_api
from support.running import File, Running
from support.site import camera, gathering, write_network

from streams.config import load_site

SOON_S = 60.0
LONGEST = 4  # numbers in a row that need no name: a box, a corner

# Where longer rows of numbers may stand, and how long one is; None: as long as the incident.
NAMED = {
    ("series", "t"): None,  # when, and the measured quantity
    ("series", "v"): None,
    ("track_ids",): None,  # who took part: numbers of this run
    ("frames", "boxes"): 5,  # of the overlay: id and box
    ("tracks",): 11,  # of kept tracks: id, box, velocity, score, kind, when born and seen
}
PICTURES = {".jpg", ".mp4"}  # what people look at: masked pictures, and no more


def closed(client: httpx.Client, n: int) -> list[dict[str, Any]]:
    """The ended alerts with all their evidence, once there are `n`."""
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        items = client.get("/api/v1/alerts").json()["items"]
        done = [
            one for one in items if one["phase"] == "closed" and one["media"]["overlay"]["state"] == "ready"
        ]
        if len(done) == n:
            return [client.get(f"/api/v1/alerts/{one['alert_id']}").json() for one in done]
        time.sleep(0.1)
    raise AssertionError(f"not {n} alerts have ended")


def rows(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[float]]]:
    """Every list of numbers in a document, with the keys that lead to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from rows(inner, (*keys, key))
    elif isinstance(value, list):
        if value and all(isinstance(one, int | float) and not isinstance(one, bool) for one in value):
            yield keys, value
        for inner in value:
            yield from rows(inner, keys)


def check(document: Any, where: str) -> int:
    """No row of numbers that is not one of the named ones; gives how many rows were looked at."""
    n = 0
    for keys, row in rows(document):
        n += 1
        if len(row) <= LONGEST:
            continue
        limits = [limit for named, limit in NAMED.items() if keys[-len(named) :] == named]
        assert limits, f"{where}: {len(row)} numbers under {'.'.join(keys)}"
        assert limits[0] in (None, len(row)), f"{where}: {len(row)} numbers under {'.'.join(keys)}"
    return n


def check_database(path: Path) -> int:
    """No blob in any row, and no unnamed row of numbers in any text."""
    n = 0
    with sqlite3.connect(path) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            found = database.execute(f'SELECT * FROM "{table}"')
            names = [one[0] for one in found.description]
            for row in found:
                for name, value in zip(names, row, strict=True):
                    where = f"{path.name}, {table}.{name}"
                    assert not isinstance(value, bytes) or len(value) <= 16, f"{where}: a blob"
                    if isinstance(value, str) and value.startswith(("[", "{")):
                        n += check({name: json.loads(value)}, where)
    database.close()
    return n


def check_file(path: Path) -> int:
    """Pictures are pictures; all else is text that holds no unnamed row of numbers."""
    if path.suffix == ".db":
        return check_database(path)
    if path.suffix in PICTURES or path.name.endswith(("-wal", "-shm")):
        return 0
    if path.name.endswith(".jsonl.gz"):
        return sum(check(json.loads(line), path.name) for line in gzip.open(path, "rt", encoding="utf-8"))
    text = path.read_text("utf-8")
    return check(json.loads(text), path.name) if text.startswith(("[", "{")) else 0


def test_nothing_of_how_anybody_looks_is_kept_and_nobody_is_known_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs on the same people: what is kept holds no vector; each run numbers people from 1, under a run id of its own."""
    api = start_api(tmp_path)
    monkeypatch.setenv("WATCHPOST_TOKEN", api.token)
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(write_network(tmp_path / "networks")))
    film = gathering(tmp_path / "stand.mp4", 36, until_s=8)
    file = File(tmp_path, api.base_url)
    site = load_site(file.write(camera("yard", film)))
    client = api.log_in("operator")
    for n in (1, 2):
        worker = Running(site)
        try:
            alerts = closed(client, n)
        finally:
            worker.stop.set()
            worker.end()
    first, second = alerts
    assert set(first["track_ids"]) == set(second["track_ids"]) == {1, 2, 3}, "numbers of a run, counted anew"
    assert first["provenance"]["run_id"] != second["provenance"]["run_id"]
    assert first["alert_id"] != second["alert_id"]
    client.close()
    api.stop()
    kept = [path for root in ("state", "api") for path in (tmp_path / root).rglob("*") if path.is_file()]
    names = {path.name for path in kept}
    assert {"outbox.db", "overlay.json", "yard-640x640.json"} <= names
    tracks = [path for path in kept if path.name.endswith(".jsonl.gz")]
    assert len({path.name.split("-")[1] for path in tracks}) == 2, (
        "tracks of two runs are in files of their own"
    )
    assert sum(check_file(path) for path in kept) > 100
    for picture in (path for path in kept if path.suffix == ".jpg"):
        Image.open(picture).verify()


def test_a_vector_would_be_found(tmp_path: Path) -> None:
    """The looking itself: a row of 128 numbers is found in a file, in a text of a database, and a blob in another."""
    vector = [0.5] * 128
    document = tmp_path / "x.json"
    document.write_text(json.dumps({"people": [{"id": 1, "feature": vector}]}))
    with pytest.raises(AssertionError, match=r"128 numbers under people\.feature"):
        check_file(document)
    for value in (json.dumps({"facts": vector}), b"\x00" * 512):
        path = tmp_path / f"{len(value)}.db"
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE t (c)")
            database.execute("INSERT INTO t VALUES (?)", (value,))
        database.close()
        with pytest.raises(AssertionError, match=r"t\.c"):
            check_file(path)
    assert check({"tracks": [[1.0] * 11]}, "x") == 1
    with pytest.raises(AssertionError, match="12 numbers under tracks"):
        check({"tracks": [[1.0] * 12]}, "x")
