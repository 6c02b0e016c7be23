"""Laws of the report page: it holds everything in itself, and shows every mistake."""

from __future__ import annotations

import csv
import gzip
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from benchmarks.accuracy import AccuracyReport, accuracy
from benchmarks.page import write_page
from detector.errors import StorageError


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> AccuracyReport:
    """Two days; on the second one a gathering that walks apart too early, and one that nobody labelled."""
    folder = tmp_path_factory.mktemp("data") / "yard_gatherings"
    (folder / "tracks").mkdir(parents=True)
    tables: dict[str, list[dict[str, object]]] = {
        "clips": [
            {"clip": clip, "kind": "gathering", "date": date, "nominal_s": 60}
            for clip, date in (("a", "2018-01-01"), ("<b>", "2018-01-02"), ("c", "2018-01-02"))
        ],
        "identities": [
            {"clip": clip, "track_id": n, "identity": n} for clip in ("a", "<b>", "c") for n in range(1, 5)
        ],
        "gatherings": [
            {"clip": clip, "label": "gathering", "ge4_spans": "300-1500", "member_ids": "1 2 3 4"}
            for clip in ("a", "<b>")
        ],
    }
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    for clip, last in (("a", 1500), ("<b>", 600), ("c", 1500)):
        with gzip.open(folder / "tracks" / f"{clip}.csv.gz", "wt") as file:
            file.write("frame,track_id,class,x1,y1,x2,y2\n")
            for frame in range(300, last, 3):
                file.writelines(
                    f"{frame},{n},person,{100 + 60 * n},400,{160 + 60 * n},600\n" for n in range(1, 5)
                )
    return accuracy(folder.parent, console=Console(file=StringIO()))


def test_the_page_holds_tables_curves_and_mistakes(tmp_path: Path, report: AccuracyReport) -> None:
    """All figures; two curves a part; the missed and the false one as pictures, with what they are."""
    write_page(report, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert all(figure.name in page for figure in report.figures)
    assert page.count('aria-label="people from above"') == 2
    assert page.count("<svg") == 2 * 2 + 2
    assert "nothing was told of these people at that time" in page
    assert "no such gathering is labelled" in page
    assert "&lt;b&gt;" in page
    assert "<b>, " not in page


def test_the_page_needs_nothing_else(tmp_path: Path, report: AccuracyReport) -> None:
    """No script and no address outside; its drawings are well-formed."""
    write_page(report, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    for word in ("<script", "http:", "https:", "src=", "url(", "<link", "nan"):
        assert word not in page
    for part in page.split("<svg")[1:]:
        ElementTree.fromstring("<svg" + part.partition("</svg>")[0] + "</svg>")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, report: AccuracyReport) -> None:
    """No folder there is a StorageError with the path."""
    with pytest.raises(StorageError, match=r"page\.html"):
        write_page(report, tmp_path / "no" / "page.html")
