"""Laws of the terms of a rule: out of its time nothing is told; a chosen severity and raised times hold for any rule."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from support.people import Person, row_of
from support.rules import play

from detector.rules.occupancy import Forbidden, ForbiddenParams
from detector.rules.scheduled import Scheduled, Terms
from detector.schedule import Schedule
from detector.types import Alert, Severity

LONDON = ZoneInfo("Europe/London")  # the scripts begin on Wednesday, 2024-05-01 at 12:00 UTC: 13:00 there


def one(t: float) -> list[Person]:
    return row_of(1)


def told(terms: Terms, until_s: float = 130, fps: float = 1.0) -> list[tuple[str, float, str]]:
    rule = Scheduled(Forbidden(ForbiddenParams(hold_s=10, gap_s=5, close_s=20)), terms, LONDON)
    return [(a.phase.value, a.t, a.severity.value) for a in play(rule, one, until_s, fps=fps)]


def test_out_of_its_time_a_rule_tells_nothing() -> None:
    """13:01-13:02 at the camera: held from 13:01 on, closed after the time is over, and says why."""
    terms = Terms(active=Schedule(("Wed 13:01-13:02",)))
    assert told(terms) == [("opened", 70.0, "high"), ("closed", 129.0, "high")]
    assert told(terms, 200) == [("opened", 70.0, "high"), ("closed", 139.0, "high")]
    assert told(Terms(active=Schedule(("Wed 12:01-12:02",)))) == []  # that is UTC
    assert told(Terms(active=Schedule(("Thu",)))) == []


def test_the_end_of_its_time_is_the_reason_of_the_end() -> None:
    """An alert that closes because the rule's time is over says so; terms are told with the parameters."""
    terms = Terms(active=Schedule(("13:00-13:01", "Sun")), severity=Severity.LOW)
    rule = Scheduled(Forbidden(ForbiddenParams(hold_s=10, gap_s=5, close_s=20)), terms, LONDON)
    alerts: list[Alert] = play(rule, one, 120, fps=1)
    assert alerts[-1].facts["end_reason"] == "rule not in force at this time"
    assert {k: alerts[0].params[k] for k in ("active", "severity")} == {
        "active": "13:00-13:01, Sun",
        "severity": "low",
    }
    assert "raised" not in alerts[0].params


def test_a_chosen_severity_is_the_severity() -> None:
    """The severity of the terms stands in place of the rule's own."""
    assert told(Terms(severity=Severity.MEDIUM), 20) == [
        ("opened", 10.0, "medium"),
        ("closed", 19.0, "medium"),
    ]


def test_at_raised_times_an_alert_is_one_step_more_urgent() -> None:
    """When the raised time begins, the open alert is UPDATED; before it is over it does not fall back."""
    terms = Terms(severity=Severity.LOW, raised=Schedule(("13:01-24:00",)))
    assert told(terms, 100) == [
        ("opened", 10.0, "low"),
        ("updated", 65.0, "medium"),  # once it has lasted for gap_s
        ("closed", 99.0, "medium"),
    ]


def test_a_reset_reaches_the_rule() -> None:
    """A new epoch is the rule's too."""
    seen: list[str] = []

    class Told(Forbidden):
        def reset(self) -> None:
            seen.append("reset")

    Scheduled(Told(), Terms(), LONDON).reset()
    assert seen == ["reset"]


def test_a_silent_rule_tells_that_it_is_silent() -> None:
    """The same alerts at the same times; `shadow` stands among their parameters."""
    terms = Terms(shadow=True)
    assert told(terms, 20) == told(Terms(), 20)
    rule = Scheduled(Forbidden(ForbiddenParams(hold_s=10, gap_s=5, close_s=20)), terms, LONDON)
    assert play(rule, one, 20, fps=1)[0].params["shadow"] is True
    assert "shadow" not in Terms().told()
