"""Laws of tracks and alerts together, on the scripts of the cases: flicker, misses, rates, sizes, class flips."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from support.acting import act, play, thinned
from support.people import stamp
from support.scenario import scenario

from detector.errors import ConfigError
from detector.rules.gathering import Gathering, GatheringParams
from detector.scene import Judgement
from detector.tracker import Tracker, TrackerParams
from detector.types import Alert, Detections, Phase
from detector.zones import Zone

SQUARE = Zone("Z", ((0.125, 0.3125), (0.875, 0.3125), (0.875, 0.96875), (0.125, 0.96875)))
QUICK = GatheringParams(min_people=3, hold_s=3, gap_s=1, close_s=5, link_bh=1.0)
THREE = ("path=0:220,450;30:220,450", "path=0:300,450;30:300,450", "path=0:380,450;30:380,450")


def gathering(params: GatheringParams = QUICK) -> list[Gathering]:
    return [Gathering(params, SQUARE)]


def alerts_of(told: Iterable[Judgement]) -> list[Alert]:
    return [alert for judgement in told for alert in judgement.alerts]


def phases(told: Iterable[Judgement]) -> list[Phase]:
    return [alert.phase for alert in alerts_of(told)]


def ids(told: Iterable[Judgement]) -> set[int]:
    return {int(i) for judgement in told for i in judgement.tracks.ids}


def test_half_the_picture_size_gives_the_same_alerts() -> None:
    """A camera that goes from 640 to 320 px has the same alerts at the same times (TRK-03)."""
    whole, half = (
        alerts_of(act(gathering(), 20, *(o.replace("30:", "12:") for o in THREE), scale=scale)[0])
        for scale in (1.0, 0.5)
    )
    assert [(a.phase, a.t) for a in half] == [(a.phase, a.t) for a in whole]
    assert [a.phase for a in whole] == [Phase.OPENED, Phase.CLOSED]


def test_a_zone_in_pixels_is_refused() -> None:
    """Corners above 1 are refused, and the message says to divide by the picture's size (TRK-03)."""
    with pytest.raises(ConfigError, match="Divide pixels by the picture's width and height"):
        Zone("Z", ((80.0, 200.0), (560.0, 200.0), (560.0, 620.0)))


def test_hovering_at_the_threshold_is_one_alert() -> None:
    """A third person hidden for half of every second for 14 s: one alert, once opened and once closed (TRK-05)."""
    hidden = ",".join(f"{n}-{n}.5" for n in range(5, 19))
    told, scene = act(gathering(), 29, *THREE[:2], f"{THREE[2]} hide={hidden}")
    assert phases(told) == [Phase.OPENED]
    assert [a.phase for a in scene.end("source ended")] == [Phase.CLOSED]


def test_away_for_long_and_back_is_a_second_alert() -> None:
    """A third person who is away for longer than the end time: closed on time, a new alert after a new hold (TRK-05)."""
    told, _ = act(gathering(), 29, *THREE[:2], f"{THREE[2]} hide=10-20")
    first, closed, second = alerts_of(told)
    assert (first.phase, closed.phase, second.phase) == (Phase.OPENED, Phase.CLOSED, Phase.OPENED)
    assert 15 <= closed.t <= 16
    assert 23 <= second.t <= 24
    assert first.alert_id == closed.alert_id != second.alert_id


def test_people_detected_again_in_their_place_are_the_same_incident() -> None:
    """Who stands and is lost for seconds stays one incident; only a real leave ends it, and then there is a second (TRK-06)."""
    hide = "hide=20-26,50-58,80-95,110-232"
    params = GatheringParams(min_people=2, core_people=2, hold_s=3, gap_s=1, close_s=60)
    pair = (f"path=0:{x},450;240:{x},450 {hide}" for x in (300, 370))
    told, _ = act(gathering(params), 240, *pair, fps=3)
    first, closed, second = alerts_of(told)
    assert (first.phase, closed.phase, second.phase) == (Phase.OPENED, Phase.CLOSED, Phase.OPENED)
    assert first.t < 5
    assert 169 <= closed.t <= 172
    assert second.t > 232


@pytest.mark.parametrize("more", ["hide=4-4.5", "low=4-5@0.2"])
def test_a_short_miss_restarts_nothing(more: str) -> None:
    """Half a second unseen, or a second at a low score, neither changes the id nor the time since it is known (TRK-07)."""
    told, _ = act([], 10, f"path=0:150,400;10:450,400 {more}")
    assert ids(told) == {1}
    assert told[-1].tracks.born_t.tolist() == [0.0]


def test_nobody_at_all_ends_a_gathering_on_time() -> None:
    """When no detection arrives any more the gathering still ends, close_s after its last hit (TRK-08)."""
    told, _ = act(gathering(), 20, *(o.replace("30:", "8:") for o in THREE))
    opened, closed = alerts_of(told)
    assert closed.phase is Phase.CLOSED
    assert closed.t == pytest.approx(8 + QUICK.close_s, abs=0.5)
    assert opened.alert_id == closed.alert_id


def test_a_picture_without_people_is_no_special_case() -> None:
    """A scene that never sees anybody says nothing; arrays of a wrong shape are refused where they are made (TRK-08)."""
    told, scene = act(gathering(), 5)
    assert alerts_of(told) == scene.end("source ended") == []
    for shape in ((0,), (0, 6)):
        with pytest.raises(ValueError, match="wanted shape"):
            Detections(np.zeros(shape, np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


@pytest.mark.parametrize(("lost_s", "n_ids"), [(1.5, 2), (3.0, 1)])
@pytest.mark.parametrize("keep", ["all", "2 fps", "5 fps", "25 to 5 fps", "every other second"])
def test_memory_is_seconds_at_every_rate(lost_s: float, n_ids: int, keep: str) -> None:
    """Two seconds hidden end a memory of 1.5 s and not one of 3 s, at 2, 5, 25 fps and when the rate changes (TRK-09)."""
    moments = scenario(10, "path=0:150,400;10:450,400 hide=4-6", fps=25)
    shown = thinned(
        moments,
        lambda n, t: {
            "all": True,
            "2 fps": n % 12 == 0,
            "5 fps": n % 5 == 0,
            "25 to 5 fps": t < 5 or n % 5 == 0,
            "every other second": int(t) % 2 == 0 or n % 10 == 0,
        }[keep],
    )
    tracker = Tracker(TrackerParams(lost_s=lost_s, still_s=lost_s))  # so slow a walker counts as standing
    found = set()
    for moment in shown:
        boxes = np.array([(b.cx - 30, b.cy - 80, b.cx + 30, b.cy + 80) for b in moment.boxes], np.float32)
        n = len(boxes)
        seen = Detections(boxes.reshape(n, 4), np.full(n, 0.9, np.float32), np.zeros(n, np.int64))
        found |= set(tracker.step(stamp(moment.t), seen).ids.tolist())
    assert len(found) == n_ids


@pytest.mark.parametrize("step", [1, 3, 10])
def test_dropped_pictures_move_a_gathering_by_two_of_them_at_most(step: int) -> None:
    """The same script at 25, 8 and 2.5 pictures a second opens and closes within two of the longer steps (TRK-09)."""
    moments = scenario(20, *(o.replace("30:", "12:") for o in THREE), fps=25)
    told, _ = play(gathering(), thinned(moments, lambda n, t: n % step == 0))
    opened, closed = alerts_of(told)
    slack = 2 * step / 25 + 0.05
    assert opened.t == pytest.approx(QUICK.hold_s, abs=slack)
    # People coast for a moment after they were last seen.
    assert 12 + QUICK.close_s - slack <= closed.t <= 12 + QUICK.close_s + TrackerParams().coast_s + slack


def test_a_class_that_flips_changes_no_count() -> None:
    """Somebody who is called a backpack for a moment, three times, stays one of three who gather (TRK-13)."""
    told, scene = act(
        gathering(),
        12,
        "path=0:330,450;12:380,450 flip=3-3.2,5-5.2,7-7.2",
        "path=0:450,450;12:450,450",
        "path=0:530,450;12:530,450",
    )
    assert ids(told) == {1, 2, 3}
    assert all(len(judgement.tracks) == 3 for judgement in told[5:])
    assert phases(told) == [Phase.OPENED]
    assert scene.end("source ended")[0].facts["n_people_min"] == 3
