"""Laws of what a killed worker left: ends at the last sign of life, and links from the alerts that go on."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from support.alerts import alert_in

from detector.types import Alert, Phase, Severity
from streams.aftermath import LINK_S, Follows, interrupted, last_sign, lock_of, settle, show_life
from streams.evidence import Folder
from streams.outbox import Outbox

KILLED = alert_in(1).at + timedelta(seconds=600)


def alert(phase=Phase.OPENED, number=100, after_s=30.0, **changes):
    values = {
        "alert_id": UUID(int=number), "phase": phase, "revision": 0, "camera_id": "lawn", "rule": "gathering",
        "rule_version": 1, "params": {}, "zone": "grass", "t": 25.0, "at": KILLED + timedelta(seconds=after_s + 20),
        "started_t": 5.0, "started_at": KILLED + timedelta(seconds=after_s), "severity": Severity.MEDIUM,
        "score": 0.5, "track_ids": (1,), "facts": {"n_people": 3}, "series": (), "reason": "3 people",
        "box": (10.0, 20.0, 110.0, 220.0),
    }  # fmt: skip
    return Alert(**(values | changes))


def ended(*numbers):
    return [interrupted(alert_in(number), KILLED) for number in numbers]


def test_the_end_is_the_last_sign_of_life():
    """An alert that stood for 10 minutes without a change ends when its worker died, on both clocks (API-01)."""
    end = interrupted(alert_in(1), KILLED)
    assert (end.phase, end.revision, end.facts["end_reason"]) == (Phase.CLOSED, 1, "interrupted")
    assert end.at == KILLED
    assert end.t == alert_in(1).t + 600


@pytest.mark.parametrize("alive_at", [None, alert_in(1).at - timedelta(seconds=5)])
def test_without_a_later_sign_it_is_the_last_word(alive_at):
    """A sign that is missing or older than the alert's own last word changes nothing (API-01)."""
    end = interrupted(alert_in(1), alive_at)
    assert (end.at, end.t) == (alert_in(1).at, alert_in(1).t)


def test_settling_gives_the_ends_and_does_it_once(tmp_path):
    """Every open alert is closed and given back; a second time there is nothing to settle (API-01)."""
    outbox, folder = Outbox(tmp_path / "outbox.db"), Folder(tmp_path / "evidence")
    for number in (1, 2, 3):
        outbox.put_alert(alert_in(number))
    outbox.put_alert(alert_in(3, Phase.CLOSED, 1))
    assert settle(outbox, folder, KILLED) == ended(1, 2)
    assert settle(outbox, folder, KILLED) == []
    assert outbox.open_alerts() == []
    assert outbox.due_media() == []
    outbox.close()


def test_the_sign_of_life_is_renewed_and_survives(tmp_path):
    """The lock file's time is the sign; no file is no sign, and no reason to fail."""
    assert last_sign(tmp_path) is None
    show_life(tmp_path)
    assert last_sign(tmp_path) is None
    lock_of(tmp_path).touch()
    os.utime(lock_of(tmp_path), (1000.0, 1000.0))
    assert last_sign(tmp_path) == datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC)
    show_life(tmp_path)
    sign = last_sign(tmp_path)
    assert sign is not None
    assert sign.year > 1970


def test_a_gathering_that_still_stands_follows_the_interrupted_one():
    """Each phase of the new alert names the one before; the next alert of the place names nothing (API-01)."""
    follows = Follows()
    follows.remember(ended(1))
    for phase in (Phase.OPENED, Phase.UPDATED, Phase.CLOSED):
        told = follows.mark(alert(phase))
        assert told.facts == {"n_people": 3, "follows": str(alert_in(1).alert_id)}
    assert "follows" not in follows.mark(alert(number=101)).facts


@pytest.mark.parametrize(
    "other",
    [{"camera_id": "yard"}, {"rule": "blind"}, {"zone": "path"}, {"after_s": LINK_S + 1}],
    ids=["camera", "rule", "zone", "later"],
)
def test_something_else_follows_nothing(other):
    """Another camera, rule or zone, and what began more than two minutes after, is no sequel (API-01)."""
    follows = Follows()
    follows.remember(ended(1))
    assert "follows" not in follows.mark(alert(**other)).facts


def test_of_two_interrupted_alerts_the_nearer_one_is_followed():
    """Two groups stood in one zone: each new alert names the one at its own place (API-01)."""
    far = alert_in(1, box=(900.0, 20.0, 1000.0, 220.0))
    follows = Follows()
    follows.remember([interrupted(far, KILLED), *ended(2)])
    assert follows.mark(alert()).facts["follows"] == str(alert_in(2).alert_id)
    assert follows.mark(alert(number=101)).facts["follows"] == str(far.alert_id)
