"""The ONNX file in place is the card's, made once, whoever asks and how many at once."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import tomllib
from pathlib import Path

import pytest
from support.cards import pixelcode_card

import models.export
from detector.errors import ModelError
from models.catalog import Card, Download, cache_dir, cut_path, load_card, network_path, networks_dir
from models.export import REQUIREMENTS, REQUIREMENTS_ALONE, ensure_network, export_python, record_path
from models.fetch import sha256

STAND_IN = """
import json, os, sys
weights, out, cut = sys.argv[1:]
assert os.environ["YOLO_OFFLINE"] == "true"
with open({calls!r}, "a") as file: file.write("x")
text = open(weights).read()
print("exporting", text)
if "spoilt" in text: raise SystemExit("cannot export")
open(out, "w").write("onnx of " + text)
if "two" in text: open(cut, "w").write("cut of " + text)
json.dump({{"torch": "0"}}, open(out + ".versions.json", "w"))
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export environment whose Python runs a stand-in script; gives the file that counts its runs."""
    monkeypatch.delenv("WATCHPOST_NETWORKS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    binary = cache_dir() / "export-env" / "bin"
    binary.mkdir(parents=True)
    (binary / "python").symlink_to(sys.executable)
    done = json.dumps([REQUIREMENTS, REQUIREMENTS_ALONE, sys.version_info[:2]])
    (cache_dir() / "export-env" / "complete.json").write_text(done)
    calls = tmp_path / "calls"
    calls.write_text("")
    script = tmp_path / "script.py"
    script.write_text(STAND_IN.format(calls=str(calls)))
    monkeypatch.setattr(models.export, "SCRIPT", script)
    return calls


def card_of(text: str) -> Card:
    """A card whose weights hold `text`, and that file in place."""
    networks_dir().mkdir(parents=True, exist_ok=True)
    (networks_dir() / "w.pt").write_text(text)
    return pixelcode_card(Download("w.pt", hashlib.sha256(text.encode()).hexdigest(), ()))


def test_the_network_is_made_once(calls: Path) -> None:
    """The first call exports and writes the record; the second only looks."""
    card, told = card_of("weights"), []
    path = ensure_network(card, lambda *step: told.append(step))
    assert path == ensure_network(card) == network_path(card)
    assert path.read_text() == "onnx of weights"
    assert calls.read_text() == "x"
    assert told == [("export pixelcode", 0, 0), ("export pixelcode", 1, 1)]
    record = json.loads(record_path(card).read_text())
    assert card.weights is not None
    assert record["weights_sha256"] == card.weights.sha256
    assert record["files"] == {"pixelcode.onnx": hashlib.sha256(b"onnx of weights").hexdigest()}
    assert record["exporters"] == {"torch": "0"}


def test_a_cut_form_lies_beside_the_network(calls: Path) -> None:
    """Where the head can be cut there are two files that belong together; losing one makes both again."""
    card = card_of("two weights")
    plain = ensure_network(card)
    cut = cut_path(plain, sha256(plain))
    stale = cut_path(plain, "0" * 64)
    stale.write_text("from another plain file")
    for file in (plain, cut):
        file.unlink()
        assert ensure_network(card).read_text() == "onnx of two weights"
        assert cut.read_text() == "cut of two weights"
    assert not stale.exists()
    assert calls.read_text() == "xxx"


@pytest.mark.parametrize("record", ["{", "[]", '"x"', '{"weights_sha256": "1"}', None])
def test_a_network_without_a_true_record_is_made_again(calls: Path, record: str | None) -> None:
    """A record that is gone or broken vouches for nothing."""
    card = card_of("weights")
    ensure_network(card)
    record_path(card).unlink() if record is None else record_path(card).write_text(record)
    ensure_network(card)
    assert calls.read_text() == "xx"


def test_a_network_that_was_changed_is_made_again(calls: Path) -> None:
    """An ONNX file that is not the recorded one, or from other weights than the card's, is replaced."""
    card = card_of("weights")
    ensure_network(card).write_text("other")
    assert ensure_network(card).read_text() == "onnx of weights"
    assert ensure_network(card_of("newer weights")).read_text() == "onnx of newer weights"
    assert calls.read_text() == "xxx"


def test_weights_with_a_wrong_hash_are_never_opened(calls: Path) -> None:
    """A file whose hash is not the card's does not reach the exporter, which would unpickle it."""
    card = card_of("weights")
    (networks_dir() / "w.pt").write_text("poison")
    with pytest.raises(ModelError, match="file in place: sha256 is"):
        ensure_network(card)
    assert calls.read_text() == ""


def test_weights_that_change_on_the_way_are_refused(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unpickled is hashed after the copy, not only before."""
    card = card_of("weights")
    other = networks_dir() / "w2.pt"
    other.write_text("poison")
    monkeypatch.setattr(models.export, "fetch", lambda *_: other)
    with pytest.raises(ModelError, match="the weights changed"):
        ensure_network(card)
    assert calls.read_text() == ""


def test_many_at_once_make_it_once(calls: Path) -> None:
    """Those who come while one works wait and take what it made."""
    card = card_of("weights")
    threads = [threading.Thread(target=ensure_network, args=(card,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert network_path(card).read_text() == "onnx of weights"
    assert calls.read_text() == "x"


def test_a_failed_export_shows_its_last_words(calls: Path) -> None:
    """The end of the exporter's output is in the error, the whole in a log, and no half file in place."""
    card = card_of("spoilt")
    with pytest.raises(
        ModelError, match=r"the export failed.*exporting spoilt / cannot export.*See .*export.log"
    ):
        ensure_network(card)
    assert not network_path(card).exists()
    assert [path.name for path in networks_dir().glob(".export-*")] == []


def test_an_export_that_hangs_is_stopped(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter has a time limit."""
    monkeypatch.setattr(models.export, "EXPORT_S", 0.01)
    with pytest.raises(ModelError, match="takes too long"):
        ensure_network(card_of("weights"))


def test_a_network_put_in_place_by_hand_needs_only_be_there(calls: Path) -> None:
    """A card without weights takes the ONNX file as it is, and says where to put it when it is missing."""
    card = pixelcode_card()
    with pytest.raises(ModelError, match="is missing"):
        ensure_network(card)
    networks_dir().mkdir(parents=True)
    network_path(card).write_text("mine")
    assert ensure_network(card).read_text() == "mine"
    assert calls.read_text() == ""


def test_an_environment_that_cannot_be_installed_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No registry: the step and pip's last words; the next call starts afresh."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(models.export, "REQUIREMENTS", ("no-such-package-here",))
    told: list[str] = []
    with pytest.raises(ModelError, match=r"install torch.*cannot be made.*No matching distribution"):
        export_python(lambda what, *_: told.append(what))
    assert told[0] == "make the export environment"
    assert not (cache_dir() / "export-env" / "complete.json").exists()


def test_the_extra_lists_what_is_installed() -> None:
    """pyproject's extra `export` and the environment that is really made hold the same requirements."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    assert sorted(project["optional-dependencies"]["export"]) == sorted(REQUIREMENTS + REQUIREMENTS_ALONE)


@pytest.mark.network
def test_the_real_network_is_in_place_and_stays() -> None:
    """The exported yolov8n is the card's by its record, and asking again leaves it untouched."""
    card = load_card("yolov8n")
    path = ensure_network(card)
    before = path.stat()
    assert ensure_network(card).stat().st_mtime_ns == before.st_mtime_ns
    record = json.loads(record_path(card).read_text())
    assert card.weights is not None
    assert record["weights_sha256"] == card.weights.sha256
    assert set(record["exporters"]) == {"ultralytics", "torch", "onnx", "onnxslim"}
