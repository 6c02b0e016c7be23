"""What people do together, in a real Chromium: one alert and two operators, many duplicates, a shift's end, users, the audit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect
from support.browser import screen
from support.live_api import start_api

from detector.types import Phase, Severity

pytestmark = pytest.mark.browser


def test_two_operators_never_have_one_alert_unknowingly(open_screen, api, worker):
    """Opening claims; the other sees who has it, on the card and on the page, may take it over by key, and the first is told."""
    alert_id = worker.send(1)
    with open_screen() as one, open_screen() as two:
        for view, name in ((one, "operator"), (two, "admin")):
            view.open()
            view.log_in(name)
            expect(view.page.locator(f'li[data-alert="{alert_id}"]')).to_be_visible()
        one.press("j", "Enter")
        expect(one.page.locator(".claim-bar")).to_contain_text("You have this alert")
        expect(two.page.locator(f'li[data-alert="{alert_id}"] .chip-claim')).to_have_text("operator")
        two.press("j", "Enter")
        expect(two.page.locator(".claim-bar")).to_contain_text("operator has this alert since")
        two.press("1")
        expect(two.page.locator(".verdict-bar .failure")).to_contain_text("operator has this alert")
        two.press("C")
        expect(two.page.locator(".claim-bar")).to_contain_text("You have this alert")
        expect(one.page.locator(".claim-bar")).to_contain_text("admin has this alert")
        two.press("a")
        two.page.keyboard.type("<img src=x onerror=alert(1)> seen")
        two.press("Enter")
        expect(one.page.locator(".history")).to_contain_text("<img src=x onerror=alert(1)> seen")
        two.press("1")
        expect(one.page.locator(".claim-bar")).to_contain_text("Closed")
        one.press("o")
        expect(two.page.locator(".claim-bar")).to_contain_text("New: nobody works on it")
        expect(two.page.locator(".history-deed")).to_have_count(4)
        two.faults = [fault for fault in two.faults if "409" not in fault]  # the verdict that was refused


def test_a_saved_clip_is_a_download_in_the_audit(open_screen, api, worker, evidence):
    """The link saves the whole clip as a file, and the audit tells who did."""
    alert_id = worker.send(1)
    worker.send_media(alert_id, "clip")
    with open_screen() as view, api.log_in("admin") as client:
        view.open(f"#/alerts/{alert_id}")
        view.log_in()
        with view.page.expect_download() as saved:
            view.page.get_by_role("link", name="Save the clip").click()
        assert saved.value.path().read_bytes() == evidence["clip"]
        lines = client.get("/api/v1/audit", params={"what": "download"}).json()["items"]
        assert [(one["who"], one["about"]) for one in lines] == [("operator", alert_id)]


def test_leaving_gives_back_what_opening_claimed(open_screen, api, worker):
    """Who only looked leaves the alert free; who claimed it by key keeps it."""
    alert_id = worker.send(1)
    with open_screen() as view, api.log_in("admin") as client:
        view.open(f"#/alerts/{alert_id}")
        view.log_in()
        expect(view.page.locator(".claim-bar")).to_contain_text("You have this alert")
        view.press("l")
        expect(view.page.locator(".chip-claim")).to_have_count(0)
        assert client.get(f"/api/v1/alerts/{alert_id}").json()["status"] == "new"
        view.press("j", "Enter")
        expect(view.page.locator(".claim-bar")).to_contain_text("You have this alert")
        view.page.wait_for_selector(".claim-bar[aria-busy=false]")
        view.press("c")
        expect(view.page.locator(".claim-bar")).to_contain_text("nobody works on it")
        view.page.wait_for_selector(".claim-bar[aria-busy=false]")
        view.press("c")
        expect(view.page.locator(".claim-bar")).to_contain_text("You have this alert")
        view.press("l")
        expect(view.page.locator(".chip-claim")).to_have_text("operator")


def test_duplicates_are_closed_many_at_once(open_screen, api, worker):
    """`x` picks, `d` closes all that are picked as duplicates; what another has is left and said."""
    ids = [worker.send(number) for number in range(4)]
    with api.log_in("admin") as client, open_screen() as view:
        client.post(f"/api/v1/alerts/{ids[1]}/claim", json={}).raise_for_status()
        view.open("#/review")
        view.log_in()
        expect(view.page.locator("li[data-alert]")).to_have_count(4)
        view.press("j", "x", "j", "x", "j", "x")
        expect(view.page.locator(".many")).to_contain_text("3 picked")
        view.press("d")
        expect(view.page.locator(".said")).to_contain_text(
            "2 closed as duplicates. 1 left: admin has this alert"
        )
        expect(view.page.locator("li[data-alert]")).to_have_count(2)
        expect(view.page.locator(".many")).to_be_hidden()
        verdict = client.get(f"/api/v1/alerts/{ids[0]}").json()["verdict"]
        assert (verdict["verdict"], verdict["reason"]) == ("false", "duplicate")


def test_a_shift_is_handed_over(open_screen, api, worker):
    """A note by key ends one's claims; the next one sees that a note waits, reads it and says so."""
    alert_id = worker.send(1)
    with api.log_in("operator") as client:
        client.post(f"/api/v1/alerts/{alert_id}/claim", json={}).raise_for_status()
    with open_screen() as one, open_screen() as two:
        one.open("#/shift")
        one.log_in("operator")
        expect(one.page.get_by_text("No notes yet")).to_be_visible()
        one.press("w")
        one.page.keyboard.type("two groups at the gate")
        one.press("Enter")
        expect(one.page.locator(".handover")).to_contain_text("1 alert handed over")
        two.open()
        two.log_in("admin")
        expect(two.page.locator('nav a[data-page="shift"] .nav-count')).to_have_text("1")
        two.press("s")
        two.page.get_by_role("button", name="I have read it").click()
        expect(two.page.locator(".handover")).to_contain_text("Taken by admin")
        expect(two.page.locator('nav a[data-page="shift"] .nav-count')).to_be_hidden()


def test_an_administrator_adds_scopes_and_resets_people(open_screen, worker):
    """A new person gets a password once, sees one camera only, is out when disabled; all is in the audit. (SEC-06, SEC-09)"""
    for number, camera in enumerate(("lawn", "gate")):
        worker.send_camera(camera, name=f"The {camera}")
        worker.send(number, camera_id=camera)
    with open_screen() as view, open_screen() as other:
        view.open("#/users")
        view.log_in("admin")
        view.page.fill("#person-name", "newcomer")
        form = view.page.locator("form.person-form").first
        form.get_by_label("All cameras").uncheck()
        form.get_by_label("The lawn").check()
        view.page.get_by_role("button", name="Add person").click()
        one_time = view.page.locator(".secret-text").inner_text()
        row = view.page.locator('[data-person="newcomer"]')
        expect(row).to_contain_text("one-time password")
        other.open()
        other.log_in("newcomer", one_time)
        other.page.fill("#old", one_time)
        other.page.fill("#new", "marble under seven hats")
        other.page.fill("#again", "marble under seven hats")
        other.press("Enter")
        expect(other.page.locator(".tile")).to_have_count(1)
        expect(other.page.locator("li[data-alert]")).to_have_count(1)
        expect(other.page.locator('nav a[data-page="users"]')).to_have_count(0)
        row.get_by_label("newcomer may log in").uncheck()
        row.get_by_role("button", name="Save").click()
        expect(row).to_contain_text("disabled")
        expect(other.page.get_by_role("button", name="Log in")).to_be_visible()
        other.faults = []  # its requests were refused, as wanted


def test_the_audit_is_read_and_narrowed(open_screen, worker):
    """A token is shown once; its line and the login stand in the audit, which filters narrow."""
    with open_screen() as view:
        view.open("#/users")
        view.log_in("admin")
        expect(view.page.locator("[data-person]")).to_have_count(3)
        row = view.page.locator('[data-person="viewer"]')
        row.get_by_label("viewer may log in").uncheck()
        row.get_by_role("button", name="Save").click()
        expect(row).to_contain_text("disabled")
        view.page.fill("#token-name", "edge-2")
        view.page.get_by_role("button", name="Make a token").click()
        expect(view.page.locator(".secret-text")).to_contain_text("wp_")
        view.page.get_by_role("link", name="Audit").click()
        lines = view.page.locator("tr[data-line]")
        expect(lines.first).to_contain_text("edge-2")
        expect(view.page.locator("tbody")).to_contain_text("Login")
        view.page.select_option("#audit-what", "configuration")
        view.page.fill("#audit-about", "viewer")
        view.press("Enter")
        expect(lines).to_have_count(2)
        expect(lines.first).to_contain_text("disabled: yes")


@pytest.mark.parametrize("name", ["operator", "viewer"])
def test_pages_of_administrators_are_not_there_for_others(open_screen, worker, name):
    """Neither the links nor the pages: the address leads to Live."""
    with open_screen() as view:
        view.open("#/audit")
        view.log_in(name)
        expect(view.page.get_by_role("heading", name="Cameras")).to_be_visible()
        expect(view.page.locator("nav a")).to_have_count(7 if name == "operator" else 5)


@pytest.mark.parametrize("width", [1280, 1024])
def test_every_page_can_be_reached_at_a_glance(browser, api, width):
    """On a common screen and on a tablet an administrator sees the links to all pages whole, and the way out."""
    with screen(browser, api, width=width) as view:
        view.open()
        view.log_in("admin")
        expect(view.page.locator("nav a")).to_have_count(10)
        seen = view.page.evaluate(
            "(({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth])(document.querySelector('.top nav'))"
        )
        assert seen[0] <= seen[1]
        one_line = view.page.evaluate("document.querySelector('.top > .button:last-child').clientHeight")
        assert one_line < 40


def test_the_gauge_and_the_suppressed(browser, tmp_path, monkeypatch, worker_of, evidence):
    """The top line counts against the budget and leads to what was suppressed; an escalation appears by itself."""
    monkeypatch.setenv("WATCHPOST_BUDGET_PER_HOUR", "2")
    with ThreadPoolExecutor(1) as pool:  # Chromium's driver has an event loop in this thread already
        api = pool.submit(start_api, tmp_path).result()
    worker = worker_of(api, evidence)
    with screen(browser, api) as view:
        view.open()
        view.log_in()
        expect(view.page.locator(".load")).to_contain_text("0 of 2 an hour")
        ids = [worker.send(number, severity=Severity.LOW) for number in range(3)]
        expect(view.page.locator(".load")).to_contain_text("2 of 2 an hour", timeout=20_000)
        expect(view.page.locator(".load")).to_contain_text("1 suppressed", timeout=20_000)
        expect(view.page.locator("li[data-alert]")).to_have_count(2)
        view.page.locator(".load").click()
        expect(view.page.locator("li[data-alert]")).to_have_count(1)
        view.press("j", "Enter")
        expect(view.page.locator(".suppressed")).to_contain_text("the desk was shown all it can take")
        view.press("l")
        worker.send(2, Phase.UPDATED, 1, severity=Severity.HIGH)
        expect(view.page.locator(f'li[data-alert="{ids[2]}"]')).to_be_visible()
    worker.close()
    api.stop()
