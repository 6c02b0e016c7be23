"""The report page: one self-contained HTML file of figures, curves and, for each mistake, who stood where.

No script, no font, no address outside: it opens from a disk, years from now. Curves and pictures are inline SVG.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from benchmarks.accuracy import AccuracyReport
from benchmarks.events import Matching, det_curve, pr_curve
from benchmarks.gathering_figures import OURS, THEIRS, Study
from benchmarks.mistakes import Mistake, draw, mistakes
from benchmarks.report import Figure
from detector.errors import StorageError
from detector.types import F64

_W, _H, _EDGE = 320, 240, 42
_COLOURS = {OURS: "#1565c0", THEIRS: "#c26a00"}
_WORDS = {OURS: "Watchpost", THEIRS: "head count"}

_HOW_TO_READ = (
    "Where feet stood, as the camera sees them; in colour: those concerned, grey: others; "
    "a dot ends each way, the bar is one body height."
)

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1c2330;background:#fff;max-width:1180px;margin:2rem auto;padding:0 1.2rem}
h1{font-size:1.7rem;margin:0}h2{font-size:1.25rem;margin:2.2rem 0 .6rem;border-bottom:1px solid #d5dae2;padding-bottom:.2rem}
h3{font-size:1rem;margin:1.4rem 0 .4rem}.meta{color:#5a6475;font-size:.85rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;width:100%}
th,td{padding:.25rem .6rem;border-bottom:1px solid #e6e9ef;text-align:left;vertical-align:top}
th{color:#5a6475;font-weight:600}.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.row{display:flex;flex-wrap:wrap;gap:1.2rem}figure{margin:0;width:320px}figcaption{font-size:.8rem;color:#3b4454;overflow-wrap:anywhere}
svg{display:block;background:#fafbfc;border:1px solid #e0e4ea;border-radius:4px}text{font:11px system-ui,sans-serif;fill:#3b4454}
.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 .3em 0 .8em;vertical-align:-.05em}
"""


def write_page(report: AccuracyReport, path: Path) -> None:
    """Write the page. Raises StorageError."""
    try:
        path.write_text("\n".join(_page(report)), encoding="utf-8")
    except OSError as error:
        raise StorageError(
            "cannot write the report", where=str(path), got=error.strerror or str(error)
        ) from error


def _page(report: AccuracyReport) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield f"<title>Watchpost: accuracy</title><style>{_STYLE}</style></head><body>"
    yield "<h1>Watchpost: accuracy</h1>"
    told = ", ".join(f"{key} {value}" for key, value in report.machine.items())
    yield f'<p class="meta">commit {escape(report.commit)}<br>{escape(told)}</p>'
    for part in dict.fromkeys(figure.name.split(".")[0] for figure in report.figures):
        yield f"<h2>{escape(part.capitalize())}</h2>"
        yield from _table([figure for figure in report.figures if figure.name.split(".")[0] == part])
        if part == "gathering":
            for study in report.studies:
                yield from _study(study)
    yield "</body></html>"


def _table(figures: Sequence[Figure]) -> Iterator[str]:
    peers = list(dict.fromkeys(peer for figure in figures for peer in figure.peers))
    heads = ["figure", "value", "95 % interval", *peers, "data", "n"]
    yield '<div class="wide"><table><tr>'
    yield "".join(
        f"<th{'' if head in ('figure', 'data') else ' class=n'}>{escape(head)}</th>" for head in heads
    )
    yield "</tr>"
    for figure in figures:
        unit = "" if figure.unit == "1" else f" {figure.unit}"
        interval = f"{figure.ci95[0]:.3f} – {figure.ci95[1]:.3f}" if figure.ci95 else ""
        cells = [_number(figure.value) + unit, interval, *(_number(figure.peers.get(peer)) for peer in peers)]
        yield f"<tr><td>{escape(figure.name)}</td>"
        yield "".join(f"<td class=n>{escape(cell)}</td>" for cell in cells)
        yield f"<td>{escape(figure.data)}, {escape(figure.split)}</td><td class=n>{figure.n:,}</td></tr>"
    yield "</table></div>"


def _study(study: Study) -> Iterator[str]:
    ways: Mapping[str, Matching] = {way: study.matching(way) for way in (OURS, THEIRS)}
    what = f"{study.source.data}, {study.part}: {len(study.clips)} clips of {', '.join(study.dates)}"
    yield f"<h3>{escape(what)}</h3>"
    keys = "".join(
        f'<span class="key" style="background:{_COLOURS[way]}"></span>{_WORDS[way]}' for way in ways
    )
    yield f'<p class="meta">one point for each score that an alert has{keys}</p><div class="row">'
    recalls = {way: pr_curve(matching) for way, matching in ways.items()}
    misses = {way: det_curve(matching, study.minutes) for way, matching in ways.items()}
    most = max((float(curve[:, 0].max(initial=0)) for curve in misses.values()), default=0.0)
    yield _curves("precision over recall", recalls, ("recall", 1.0), "precision")
    yield _curves(
        "misses over false alerts (DET)",
        misses,
        ("false alerts a minute", _round_up(max(most, 0.01))),
        "missed share",
    )
    yield "</div>"
    for kind in ("missed", "false"):
        found = list(mistakes(study, kind))
        yield f"<h3>{kind.capitalize()}: {len(found)}</h3>"
        if found:
            yield f'<p class="meta">{_HOW_TO_READ}</p>'
        yield '<div class="row">' + "".join(_picture(one) for one in found) + "</div>"


def _picture(mistake: Mistake) -> str:
    return f"<figure>{draw(mistake)}<figcaption><b>{escape(mistake.title)}</b><br>{escape(mistake.why)}</figcaption></figure>"


def _curves(title: str, curves: Mapping[str, F64], across: tuple[str, float], up: str) -> str:
    word, most = across
    left, right, top, bottom = _EDGE, _W - 20, 14, _H - 36

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (right - left) * x / most, bottom - (bottom - top) * y

    drawn = []
    for k in range(5):
        share = k / 4
        x, y = place(share * most, share)
        drawn.append(
            f'<path d="M{left} {y:.1f}H{right}M{x:.1f} {top}V{bottom}" stroke="#e3e7ed" fill="none"/>'
        )
        drawn.append(f'<text x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{share:g}</text>')
        drawn.append(f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{share * most:.3g}</text>')
    for way, curve in curves.items():
        points = [place(x, y) for x, y in curve.tolist()]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline points="{line}" fill="none" stroke="{_COLOURS[way]}" stroke-width="1.8"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{_COLOURS[way]}"/>' for x, y in points]
    drawn.append(f'<text x="{(left + right) / 2}" y="{_H - 6}" text-anchor="middle">{escape(word)}</text>')
    drawn.append(
        f'<text transform="translate(11 {(top + bottom) / 2}) rotate(-90)" text-anchor="middle">{escape(up)}</text>'
    )
    body = "".join(drawn)
    picture = f'<svg role="img" aria-label="{escape(title)}" width="{_W}" height="{_H}">{body}</svg>'
    return f"<figure>{picture}<figcaption>{escape(title)}</figcaption></figure>"


def _round_up(most: float) -> float:
    """Give an end of an axis whose quarters are short numbers."""
    size = 10.0 ** math.floor(math.log10(most))
    return next(step * size for step in (1, 2, 4, 8, 10) if step * size >= most)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
