"""Scripts of moving boxes for `pixelcode.write_video`: same words, same script.

One object is a line of blank-separated key=value words:
    path=0:100,400;10:300,400   way-points second:cx,cy (straight between; absent outside)
    wh=60x160 conf=0.9 cls=0    size px, score, class (0 person, 1 backpack)
    hide=3-3.4,7-9              not detected in these seconds
    low=5-6@0.2                 score 0.2 in these seconds
    flip=4-4.2                  class inverted in these seconds
    jit=3                       +-3 px jitter, other way at each picture
"""

from __future__ import annotations

import numpy as np

from benchmarks.pixelcode import Box, Moment

DEFAULTS = {"wh": "60x160", "conf": "0.9", "cls": "0", "hide": "", "low": "", "flip": "", "jit": "0"}


def scenario(dur_s: float, *objects: str, fps: float = 10) -> list[Moment]:
    """The moments of `dur_s` seconds at `fps`, with each of `objects` where its words put it."""
    parsed = [DEFAULTS | dict(word.split("=", 1) for word in line.split()) for line in objects]
    moments = []
    for n in range(int(dur_s * fps)):
        t = n / fps
        seen = (_at(words, t, n) for words in parsed)
        moments.append(Moment(round(t, 4), [box for box in seen if box is not None]))
    return moments


def _at(words: dict[str, str], t: float, n: int) -> Box | None:
    path = [
        (float(at), *map(float, xy.split(","))) for at, xy in (p.split(":") for p in words["path"].split(";"))
    ]
    times, xs, ys = np.array(path).T
    if not times[0] <= t <= times[-1] or _inside(words["hide"], t):
        return None
    jitter = float(words["jit"]) * (1 if n % 2 else -1)
    w, h = map(float, words["wh"].split("x"))
    low = _inside(words["low"], t)
    return Box(
        round(float(np.interp(t, times, xs)) + jitter, 1),
        round(float(np.interp(t, times, ys)) + jitter, 1),
        w,
        h,
        float(low.partition("@")[2] if low else words["conf"]),
        int(words["cls"]) ^ bool(_inside(words["flip"], t)),
    )


def _inside(spans: str, t: float) -> str:
    """The span that holds `t` (half-open), or an empty text."""
    for span in filter(None, spans.split(",")):
        start, end = span.partition("@")[0].split("-")
        if float(start) <= t < float(end):
            return span
    return ""
