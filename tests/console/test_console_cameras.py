"""The page of cameras in a real Chromium: places drawn by mouse and by keyboard, versions saved, refused, taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from api.schemas_configuration import AreaTable, LineTable
from detector.errors import ConfigError
from detector.lines import Line
from detector.zones import Zone
from streams.rulebook import kinds

pytestmark = pytest.mark.browser

GRASS = {"name": "grass", "polygon": [[0.1, 0.2], [0.9, 0.2], [0.9, 0.9], [0.1, 0.9]]}
RULE = {"rule": "gathering", "zone": "grass", "params": {"min_people": 3, "hold_s": 6.0, "gap_s": 1.0}}
BASE = {"zones": [GRASS], "rules": [RULE]}
PLACE = "#/cameras/lawn"
NOW = datetime.now(UTC) - timedelta(minutes=5)
URL = "/api/v1/cameras/lawn/configuration"


@pytest.fixture
def told(api, worker):
    """Says what is in force, as a worker does: `told(version, answered, refused)`."""
    worker.send_camera()
    worker.send_pulse()
    book = [kind.model_dump(mode="json") for kind in kinds()]

    def tell(in_force=BASE, version=0, answered=0, refused=""):
        body = {"version": version, "answered": answered, "refused": refused, "rulebook": book}
        worker.put("/cameras/lawn/in-force", body | {"base": BASE, "in_force": in_force})

    tell()
    return tell


def at(page, x, y):
    """A place of the picture on the screen."""
    box = page.locator(".drawing").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def click(page, *spots):
    for spot in spots:
        page.mouse.click(*at(page, *spot))


def latest(api):
    with api.log_in("admin") as client:
        return client.get(URL).json()


def test_a_zone_is_drawn_by_mouse_named_used_and_saved(open_screen, api, told):
    """Four clicks and the first corner again close it; a rule is given to it; one version, whose answer is told."""
    with open_screen() as view:
        view.open(PLACE)
        view.log_in("admin")
        page = view.page
        expect(page.locator(".standing")).to_contain_text("worker's site file")
        page.get_by_role("button", name="Draw a zone").click()
        click(page, (0.2, 0.3), (0.6, 0.3), (0.6, 0.7), (0.2, 0.7), (0.2, 0.3))
        expect(page.locator("[data-place='zones-1'] input")).to_have_value("zone 1")
        page.locator("[data-place='zones-1'] input").fill("gate")
        page.keyboard.press("Tab")
        page.locator(".rule summary").first.click()
        page.get_by_label("Zone", exact=True).select_option("gate")
        page.get_by_label("People needed").fill("5")
        page.get_by_label("Note").fill("only the gate")
        expect(page.locator(".changes")).to_contain_text("Zone “gate” is new")
        page.get_by_role("button", name="Save as version 1").click()
        expect(page.locator(".standing")).to_contain_text("Version 1 waits for the worker")
        saved = latest(api)["versions"][0]
        assert (saved["by"], saved["note"]) == ("admin", "only the gate")
        zone = saved["configuration"]["zones"][1]
        assert zone["name"] == "gate"
        wanted = ((0.2, 0.3), (0.6, 0.3), (0.6, 0.7), (0.2, 0.7))
        assert [pytest.approx(one, abs=0.01) for one in wanted] == zone["polygon"]
        rule = saved["configuration"]["rules"][0]
        assert (rule["zone"], rule["params"]["min_people"], rule["params"]["hold_s"]) == ("gate", 5, 6.0)
        told(saved["configuration"], version=1, answered=1)
        expect(page.locator(".standing")).to_contain_text("Version 1 is in force")


def test_everything_is_drawn_and_mended_by_keyboard(open_screen, api, told):
    """A zone, a line and a moved corner without a mouse; undo and redo; each handle tells where it is."""
    with open_screen() as view:
        view.open(PLACE)
        view.log_in("admin")
        page = view.page
        page.wait_for_selector(".drawing")
        view.press("d", " ", "Shift+ArrowRight", " ", "Shift+ArrowDown", " ", "Enter")
        expect(page.locator("[data-place='zones-1'] input")).to_have_value("zone 1")
        focused = page.locator("circle.corner:focus")
        expect(focused).to_have_attribute(
            "aria-label", "Corner 1 of zone 1: 50 % from the left, 50 % from the top"
        )
        view.press("Shift+ArrowLeft", "Shift+ArrowLeft")
        expect(focused).to_have_attribute(
            "aria-label", "Corner 1 of zone 1: 40 % from the left, 50 % from the top"
        )
        view.press("Insert")
        expect(page.locator("circle.corner")).to_have_count(4)
        view.press("u")
        expect(page.locator("circle.corner")).to_have_count(3)
        view.press("U")
        expect(page.locator("circle.corner")).to_have_count(4)
        view.press("Control+z", "Control+z")
        expect(page.locator("circle.corner").first).to_have_attribute(
            "aria-label", "Corner 1 of zone 1: 50 % from the left, 50 % from the top"
        )
        view.press("e", " ", "Shift+ArrowLeft", " ")
        expect(page.locator("[data-place='lines-0'] input")).to_have_value("line 1")
        page.get_by_role("button", name="Turn line 1 round").press("Enter")
        page.get_by_role("button", name="Save as version 1").press("Enter")
        expect(page.locator(".standing")).to_contain_text("Version 1 waits")
        saved = latest(api)["versions"][0]["configuration"]
        assert saved["lines"][0]["points"] == [[0.45, 0.5], [0.5, 0.5]]
        assert saved["zones"][1]["polygon"] == [[0.5, 0.5], [0.55, 0.5], [0.55, 0.55]]


def test_a_crossing_edge_is_told_while_it_is_drawn_and_cannot_be_saved(open_screen, told):
    """A corner dragged over the opposite edge: the words of the worker's own check, the save button off, and undo mends it."""
    with open_screen() as view:
        view.open(PLACE)
        view.log_in("admin")
        page = view.page
        page.locator("[data-place='zones-0'] input").focus()
        page.mouse.move(*at(page, 0.1, 0.2))
        page.mouse.down()
        page.mouse.move(*at(page, 0.5, 0.5))
        page.mouse.move(*at(page, 0.95, 0.5), steps=3)
        page.mouse.up()
        expect(page.locator(".editor-stage .problems")).to_contain_text(
            "zone 'grass': edges that cross, touch or fold back"
        )
        expect(page.get_by_role("button", name="Save as version 1")).to_be_disabled()
        page.get_by_role("button", name="Undo").click()
        expect(page.locator(".editor-stage .problems")).to_be_hidden()
        expect(page.locator(".changes")).to_contain_text("Nothing is changed")


def test_a_zone_in_use_stays_and_a_new_name_goes_to_its_rules(open_screen, told):
    """Removing says who uses it; renaming renames it there. (SEC-07)"""
    with open_screen() as view:
        view.open(PLACE)
        view.log_in("admin")
        page = view.page
        page.get_by_role("button", name="Remove grass").click()
        expect(page.locator(".places .failure")).to_contain_text("“grass” stays: Gathering in grass uses it.")
        page.locator("[data-place='zones-0'] input").fill('<img src=x onerror="alert(1)">')
        page.keyboard.press("Enter")
        expect(page.locator(".rule summary")).to_contain_text('Gathering in <img src=x onerror="alert(1)">')


def test_versions_are_taken_back_and_refusals_told(open_screen, api, told):
    """What the worker refused is shown with its reason and what is in force instead; an older one comes back as a new one."""
    with api.log_in("admin") as client:
        for based_on, hold_s in enumerate((9.0, -1.0)):
            rule = RULE | {"params": {"hold_s": hold_s}}
            body = {"based_on": based_on, "configuration": BASE | {"rules": [rule]}}
            client.put(URL, json=body).raise_for_status()
    told(
        BASE,
        version=1,
        answered=2,
        refused="configuration.rules[0].hold_s: out of range (wanted more than 0)",
    )
    with open_screen() as view:
        view.open(PLACE)
        view.log_in("admin")
        page = view.page
        expect(page.locator(".standing")).to_contain_text(
            "The worker refused version 2: configuration.rules[0].hold_s"
        )
        expect(page.locator(".version").nth(1)).to_contain_text("In force")
        page.locator(".version").nth(1).get_by_role("button", name="Put it into the drawing").click()
        expect(page.get_by_label("Note")).to_have_value("Version 1 again")
        page.get_by_role("button", name="Save as version 3").click()
        expect(page.locator(".standing")).to_contain_text("Version 3 waits")
        versions = latest(api)["versions"]
        assert versions[0]["configuration"] == versions[2]["configuration"]
        page.get_by_role("button", name="Let the site file count again").click()
        expect(page.locator(".standing")).to_contain_text("Version 4 waits")
        assert latest(api)["versions"][0]["configuration"] is None


def test_who_may_not_change_it_sees_it(open_screen, told):
    """An operator sees zones, rules and versions, and finds nothing to draw or save with."""
    with open_screen() as view:
        view.open("#/cameras")
        view.log_in("operator")
        page = view.page
        page.locator("a.camera-row").click()
        expect(page.locator(".standing")).to_contain_text("site file")
        expect(page.locator(".drawing .zone")).to_have_count(1)
        page.locator(".rule summary").first.click()
        expect(page.get_by_label("People needed")).to_be_disabled()
        expect(page.get_by_role("button", name="Draw a zone")).to_have_count(0)
        expect(page.get_by_role("button", name="Save as version")).to_have_count(0)


RINGS = [
    [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]],
    [[0, 0], [1, 1], [1, 0], [0, 1]],
    [[0.1, 0.1], [0.9, 0.1], [0.1, 0.1], [0.5, 0.9]],
    [[0.1, 0.1], [0.9, 0.1]],
    [[0.1, 0.1], [0.5, 0.1], [0.3, 0.1], [0.3, 0.6]],
    [[0.1, 0.1], [0.1002, 0.1], [0.1, 0.1002]],
    [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.5, 0.2], [0.2, 0.8]],
    [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9], [0.1, 0.1]],
    [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]],
    [[i / 100, 0.1 + 0.002 * (i % 2)] for i in range(65)],
]
NAMES = ["yard", "it's", "", "  ", "a\tb", "x" * 101, "é\u202e"]


def test_the_words_on_the_screen_are_those_of_the_worker(open_screen, told):
    """Every kind of wrong polygon, line and name gets the same sentence from the console as from detector/. (SEC-07)"""
    areas = [{"name": "yard", "polygon": ring} for ring in RINGS] + [
        {"name": n, "polygon": RINGS[0]} for n in NAMES
    ]
    lines = [
        {"name": "door", "points": p}
        for p in ([[0, 0], [1, 1]], [[0.5, 0.5], [0.5, 0.501]], [[1, 0], [1, 0]])
    ]
    with open_screen() as view:
        view.open()
        view.log_in("admin")
        view.page.wait_for_selector(".live-sign.is-live")
        script = """async ([areas, lines]) => {
          const { areaProblem, lineProblem } = await import("/static/geometry.js");
          return [areas.map(areaProblem), lines.map(lineProblem)];
        }"""
        found = view.page.evaluate(script, [areas, lines])
    assert found[0] == [
        _said(lambda one=one: Zone(one["name"], tuple(map(tuple, one["polygon"])))) for one in areas
    ]
    assert found[1] == [
        _said(lambda one=one: Line(one["name"], tuple(map(tuple, one["points"])))) for one in lines
    ]
    assert AreaTable(**areas[0])
    assert LineTable(**lines[0])
    assert sum(text == "" for text in found[0]) == 4


def _said(make):
    try:
        make()
    except ConfigError as error:
        return error.text()
    return ""


def test_every_parameter_of_every_rule_has_its_meaning(open_screen, told):
    """No parameter of the worker's rulebook stands in the form without a sentence."""
    wanted = [[kind.rule, name] for kind in kinds() for name in kind.params]
    with open_screen() as view:
        view.open()
        view.log_in("admin")
        view.page.wait_for_selector(".live-sign.is-live")
        script = """async (wanted) => {
          const { meaningOf, RULE_MEANING } = await import("/static/param_words.js");
          return wanted.filter(([rule, name]) => !meaningOf(rule, name) || !RULE_MEANING[rule]);
        }"""
        assert view.page.evaluate(script, wanted) == []


def test_what_would_have_alerted_is_shown_beside_what_there_was(open_screen, worker, told):
    """The draft is tried without being saved: past alerts vanish or stay, new ones appear; the night is the camera's."""
    alert_id = worker.send(1, at=NOW, started_at=NOW - timedelta(seconds=20))
    with open_screen() as view:
        view.open(PLACE)
        view.log_in("admin")
        page = view.page
        page.locator(".rule summary").first.click()
        page.get_by_label("People needed").fill("7")
        page.get_by_label("Tracks of").select_option("1")
        worker.ask()
        page.get_by_role("button", name="Try these rules").click()
        expect(page.get_by_text("The worker judges the tracks")).to_be_visible()
        given = worker.orders()
        assert given["configuration"]["rules"][0]["params"]["min_people"] == 7
        would = {"rule": "gathering", "zone": "grass", "severity": "high", "reason": "9 people together"}
        when = (NOW - timedelta(minutes=30)).isoformat()
        would |= {"started_at": when, "opened_at": when, "ended_at": when}
        found = {
            "problem": "",
            "judged_until": given["until"],
            "n_pictures": 900,
            "took_s": 2.0,
            "left_out": [],
        }
        covered = [[given["since"], given["until"]]]
        worker.put(f"/what-ifs/{given['what_if_id']}", found | {"covered": covered, "alerts": [would]})
        rows = page.locator(".table tbody tr")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("Appears")
        expect(rows.nth(1)).to_contain_text("Vanishes")
        expect(rows.nth(1).locator("a")).to_have_attribute("href", f"#/alerts/{alert_id}")
        expect(page.get_by_text("0 stay, 1 vanishes (1 without a verdict), 1 appears.")).to_be_visible()
        script = """async ([zone, now]) => {
          const { lastNight } = await import("/static/what_if_panel.js");
          return lastNight(zone, Date.parse(now)).map((ms) => new Date(ms).toISOString());
        }"""
        for zone, now, wanted in (
            ("Europe/Berlin", "2026-01-10T12:00:00Z", ("2026-01-09T19:00", "2026-01-10T05:00")),
            ("Europe/Berlin", "2026-01-10T04:00:00Z", ("2026-01-08T19:00", "2026-01-09T05:00")),
            ("America/New_York", "2026-07-02T03:30:00Z", ("2026-07-01T00:00", "2026-07-01T10:00")),
        ):
            assert tuple(one[:16] for one in page.evaluate(script, [zone, now])) == wanted


def test_a_threshold_is_proposed_and_taken_by_a_person(open_screen, api, worker, told):
    """Of the values tried, the one that keeps the true alert and drops the false one; taking it changes the draft alone."""
    ids = [
        worker.send(n, at=NOW - timedelta(minutes=n), started_at=NOW - timedelta(minutes=n)) for n in (1, 2)
    ]
    with api.log_in("operator") as client:
        for alert_id, verdict in zip(
            ids, ({"verdict": "true"}, {"verdict": "false", "reason": "animal"}), strict=True
        ):
            client.post(f"/api/v1/alerts/{alert_id}/verdict", json=verdict).raise_for_status()
    with open_screen() as view:
        view.open(PLACE)
        view.log_in("admin")
        page = view.page
        page.get_by_label("Tracks of").select_option("1")
        page.locator(".threshold summary").click()
        worker.ask()
        page.get_by_role("button", name="Try several values").click()
        for hold_s in (3, 4.5, 6, 9, 12, 18):
            given = worker.orders()
            assert given["configuration"]["rules"][0]["params"]["hold_s"] == hold_s
            minutes = [1, 2] if hold_s < 9 else [1] if hold_s < 18 else []
            worker.put(f"/what-ifs/{given['what_if_id']}", answered(given, minutes))
        expect(page.locator(".threshold p")).to_contain_text(
            "Must hold for 9 s keeps 1 of 1 true alerts and 0 of 1 false ones"
        )
        row = page.locator(".proposed")
        expect(row).to_contain_text("9 s")
        row.get_by_role("button", name="Take it").click()
        expect(page.locator(".changes")).to_contain_text("must hold for 6 s → 9 s")
        assert latest(api)["version"] == 0


def answered(given, minutes):
    """A worker's answer: alerts that would have been so many minutes ago."""
    times = [(NOW - timedelta(minutes=n)).isoformat() for n in minutes]
    would = {"rule": "gathering", "zone": "grass", "severity": "medium", "reason": "people together"}
    alerts = [would | {"started_at": at, "opened_at": at, "ended_at": at} for at in times]
    found = {"problem": "", "judged_until": given["until"], "n_pictures": 900, "took_s": 1.0, "left_out": []}
    return found | {"covered": [[given["since"], given["until"]]], "alerts": alerts}
