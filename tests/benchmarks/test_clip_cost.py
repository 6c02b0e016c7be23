"""The figures of a clip are there, under their names, beside what encoding it anew costs."""

from __future__ import annotations

from benchmarks.clip_cost import AGAIN, GOP_S, clip_cost


def test_a_small_run_gives_every_figure() -> None:
    """A copied clip begins with a keyframe, is as long as it was wanted but for a group, and is much cheaper."""
    told = {figure.name: figure for figure in clip_cost(2, lambda *_: None, size=(320, 180)).figures}
    assert set(told) == {
        f"clips.{name}" for name in ("cpu_ms", "times_cheaper", "length_error_s", "first_is_keyframe")
    }
    assert told["clips.first_is_keyframe"].value == 1.0
    assert 0.0 <= (told["clips.length_error_s"].value or 0.0) <= GOP_S
    assert told["clips.cpu_ms"].peers[AGAIN] > (told["clips.cpu_ms"].value or 0.0)
