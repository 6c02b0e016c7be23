"""Laws of blindness: silence is told, once, with its number; what is no fault is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from detector.errors import ConfigError
from detector.rules.blind import BlindParams, Kind, Link, Sentinel, Sight
from detector.types import Phase, Severity, Stamp

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLEAR = Sight(luma=110.0, contrast=150.0, still_s=0.0, detail_share=1.0, likeness=0.9, shift_share=0.0)
DARK = replace(CLEAR, luma=4.0, contrast=6.0, detail_share=0.1, likeness=0.0)
COVERED = replace(CLEAR, contrast=12.0, detail_share=0.05, likeness=0.1)
BLURRED = replace(CLEAR, detail_share=0.15, likeness=0.7)
SHIFTED = replace(CLEAR, shift_share=0.08)
ELSEWHERE = replace(CLEAR, likeness=0.1, shift_share=0.0)
FROZEN = replace(CLEAR, still_s=60.0)


def stamp(t: float) -> Stamp:
    return Stamp("yard", 0, int(t), t, START + timedelta(seconds=t), 640, 480)


def sentinel(**changes: float) -> Sentinel:
    return Sentinel(UUID(int=1), "yard", BlindParams(**changes))


def watch(it: Sentinel, sight: Sight | None, t: int, seconds: int, link: Link = Link()):
    """What is told in so many seconds of the same."""
    return [alert for s in range(seconds) for alert in it.step(stamp(t + s), link, sight)]


@pytest.mark.parametrize(
    ("sight", "kind", "severity", "said"),
    [
        (DARK, Kind.DARK, Severity.MEDIUM, "dark"),
        (COVERED, Kind.COVERED, Severity.HIGH, "covered"),
        (BLURRED, Kind.BLURRED, Severity.MEDIUM, "blurred"),
        (SHIFTED, Kind.MOVED, Severity.MEDIUM, "displaced by 8%"),
        (ELSEWHERE, Kind.MOVED, Severity.MEDIUM, "looks elsewhere"),
        (FROZEN, Kind.FROZEN, Severity.HIGH, "stands still for 60 s"),
    ],
)
def test_each_way_of_being_blind_is_told_once_and_ended(
    sight: Sight, kind: Kind, severity: Severity, said: str
) -> None:
    """Held for ten seconds it opens, with its number and limit; ten seconds of a clear view close it."""
    it = sentinel()
    assert watch(it, CLEAR, 0, 60) == []
    [opened] = watch(it, sight, 60, 30)
    assert (opened.phase, opened.t, opened.severity) == (Phase.OPENED, 70.0, severity)
    assert opened.facts["kind"] == kind.value
    assert said in opened.reason
    assert opened.box == (0.0, 0.0, 640.0, 480.0)
    [closed] = watch(it, CLEAR, 90, 30)
    assert (closed.phase, closed.alert_id) == (Phase.CLOSED, opened.alert_id)
    assert closed.facts["end_reason"] == "view as usual"


def test_a_moment_is_not_told() -> None:
    """A lorry before the lens, a flash, a short loss of the stream."""
    it = sentinel()
    for t in range(0, 200, 20):
        assert watch(it, COVERED, t, 8) == []
        assert watch(it, CLEAR, t + 8, 12) == []


def test_a_lost_stream_is_told_while_no_picture_comes() -> None:
    """Its seconds run on; when pictures come again it is closed."""
    it = sentinel()
    told = [a for s in range(1, 40) for a in it.step(stamp(s), Link(offline_s=float(s)), None)]
    assert [(a.phase, a.severity) for a in told] == [(Phase.OPENED, Severity.HIGH)]
    assert "No picture has come for 11 s" in told[0].reason
    [closed] = watch(it, CLEAR, 40, 20)
    assert closed.facts["offline_s"] == 39.0


def test_pictures_that_nobody_judges_are_told() -> None:
    """A camera that is online and damaged, or a network that does not follow, is not watched."""
    it = sentinel()
    told = [a for s in range(40) for a in it.step(stamp(s), Link(unjudged_s=float(s)), None)]
    assert [a.facts["kind"] for a in told] == ["unjudged"]
    assert told[0].t == 21.0


def test_a_view_that_is_not_known_yet_is_neither_moved_nor_blurred() -> None:
    """Before it has learned what is usual only darkness and stillness can be told."""
    unknown = Sight(luma=90.0, contrast=20.0, still_s=0.0, detail_share=None, likeness=None, shift_share=None)
    assert watch(sentinel(), unknown, 0, 60) == []
    assert len(watch(sentinel(), replace(unknown, luma=3.0), 0, 60)) == 1


def test_what_is_not_wanted_is_not_asked() -> None:
    """enabled = false."""
    it = Sentinel(UUID(int=1), "yard", BlindParams(enabled=False))
    assert watch(it, DARK, 0, 60) == []


def test_an_end_closes_what_is_open() -> None:
    """With the reason it is given."""
    it = sentinel()
    watch(it, DARK, 0, 30)
    assert [a.facts["end_reason"] for a in it.end("service stopped")] == ["service stopped"]


@pytest.mark.parametrize(
    ("changes", "where"),
    [({"hold_s": 0.0}, "hold_s"), ({"gap_s": 20.0}, "gap_s"), ({"gap_s": 1.0}, "gap_s"), ({"blur_share": 1.5}, "blur_share"),
     ({"dark_luma": float("nan")}, "dark_luma"), ({"frozen_s": 0.0}, "frozen_s")],
)  # fmt: skip
def test_wrong_parameters_are_named(changes: dict[str, float], where: str) -> None:
    """The key is told."""
    with pytest.raises(ConfigError) as caught:
        BlindParams(**changes)
    assert caught.value.where == where
