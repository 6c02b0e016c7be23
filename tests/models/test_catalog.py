"""Cards are read strictly: each wrong key is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cards import PIXELCODE_TOML, pixelcode_card, write_card

from detector.errors import ModelError
from detector.types import Kind
from models.catalog import (
    UrlSource,
    WheelSource,
    cache_dir,
    list_cards,
    load_card,
    network_path,
    networks_dir,
)


@pytest.fixture(autouse=True)
def _networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(tmp_path))


def test_the_shipped_card_is_whole() -> None:
    """The yolov8n card has a hash, sources in order, a licence, a reference and the classes that are used."""
    card = load_card("yolov8n")
    assert card.weights is not None
    assert len(card.weights.sha256) == 64
    assert [type(source) for source in card.weights.sources] == [UrlSource, WheelSource]
    assert card.licence == "AGPL-3.0"
    assert "Ultralytics" in card.reference
    assert {entry.kind for entry in card.classes} == set(Kind)
    assert (card.stride, card.side_px) == (32, 640)


def test_a_card_beside_a_network_is_found(tmp_path: Path) -> None:
    """A card of one's own lies next to its network, needs no weights and is listed."""
    write_card(tmp_path)
    assert load_card("pixelcode").classes == pixelcode_card().classes
    assert load_card("pixelcode").weights is None
    assert [card.name for card in list_cards()] == ["pixelcode", "yolo11n-pose", "yolov8n"]
    assert network_path(load_card("pixelcode")) == tmp_path / "pixelcode.onnx"


def test_folders_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Networks lie in $WATCHPOST_NETWORKS, else below $XDG_CACHE_HOME, else below ~/.cache."""
    assert networks_dir() == tmp_path
    monkeypatch.delenv("WATCHPOST_NETWORKS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert networks_dir() == tmp_path / "x" / "watchpost" / "networks"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "watchpost"


@pytest.mark.parametrize("name", ["nothing", "../yolov8n", "/etc/passwd", ""])
def test_an_unknown_network_names_the_known_ones(name: str) -> None:
    """A name without a card is refused with the names there are; it never leads out of the folders."""
    with pytest.raises(ModelError, match=r"no such network.*wanted one of yolo11n-pose, yolov8n"):
        load_card(name)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("stride = 32", "", "input.stride.*wanted int, got nothing"),
        ("stride = 32", "stride = 'x'", "input.stride.*wanted int, got 'x'"),
        ("stride = 32", "stride = true", "input.stride.*wanted int, got True"),
        ("stride = 32", "stride = 0", "input.stride.*wanted 1 to 256, got 0"),
        ("side_px = 640", "side_px = 16", "input.side_px.*wanted 32 to 4096, got 16"),
        ("max_iou = 0.7", "max_iou = 7", "thresholds.max_iou.*wanted 0 to 1, got 7"),
        ("max_iou = 0.7", "max_iou = 0.7\nmore = 1", "thresholds.more.*no such key"),
        ('task = "detect"', 'task = "detect"\nodd = 1', "card key odd.*no such key"),
        ('kind = "backpack"', 'kind = "rucksack"', "class 'backpack'.*wanted a kind of person.*got rucksack"),
        ("index = 1", "place = 1", "classes.backpack.place.*no such key"),
        ("[input]", "[input", "cannot be read.*wanted a TOML file"),
        (
            "[input]",
            "[weights]\nfile='a'\nsha256='b'\nsources=[1]\n[input]",
            "weights.sources.*list of tables",
        ),
        (
            "[input]",
            "[weights]\nfile='a'\nsha256='b'\nsources=[{kind='ftp'}]\n[input]",
            "wanted url, wheel or deb, got ftp",
        ),
        (
            "[input]",
            "[weights]\nfile='a'\nsha256='b'\nsources=[{kind='url'}]\n[input]",
            r"sources\[0\].url.*got nothing",
        ),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Missing, wrongly typed, out of range, unknown: the dotted key, wanted and got."""
    write_card(tmp_path, text=PIXELCODE_TOML.replace(old, new))
    with pytest.raises(ModelError, match=message):
        load_card("pixelcode")
