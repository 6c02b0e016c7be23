"""Cases in a real Chromium: opened, filled from an alert's page, downloaded as one file."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from api.bundle import verify_bundle

pytestmark = pytest.mark.browser


def test_a_case_is_opened_filled_and_downloaded(open_screen, api, worker):
    """From the page Cases to an alert and back: the alert is held, the case holds it, its bundle verifies; a note is kept."""
    worker.send_camera()
    ids = [worker.send(number) for number in (1, 2)]
    for kind in ("snapshot", "clip"):
        worker.send_media(ids[0], kind)
    with open_screen() as view:
        page = view.page
        view.open("#/cases")
        view.log_in()
        expect(page.get_by_text("No cases yet")).to_be_visible()
        view.press("w")
        page.keyboard.type("<b>Gate</b>, 17 March")
        page.get_by_role("button", name="Open case").click()
        expect(page.get_by_role("heading", name="<b>Gate</b>, 17 March")).to_be_visible()
        for alert_id in ids:
            view.open(f"#/alerts/{alert_id}")
            page.get_by_text("Put into a case").click()
            page.get_by_role("button", name="Put into case").click()
            expect(page.locator(".case-picker")).to_contain_text("It is in <b>Gate</b>, 17 March, and held.")
            expect(page.locator(".hold-bar")).to_contain_text("Held by operator")
        page.get_by_role("button", name="Release").click()
        expect(page.locator(".hold-bar .failure")).to_contain_text("take it out first")
        page.locator(".case-picker a").click()
        expect(page.locator("li[data-alert]")).to_have_count(2)
        page.get_by_label("Note").fill("for the police")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        with page.expect_download() as saved:
            page.get_by_role("link", name="Download signed bundle of all").click()
        found = verify_bundle(saved.value.path())
        assert found.problems == []
        assert found.about == "case '<b>Gate</b>, 17 March' of 2 alerts"
        page.get_by_role("button", name="Take the chosen alert out").click()
        expect(page.locator("li[data-alert]")).to_have_count(1)
        view.faults = [fault for fault in view.faults if "409" not in fault]  # the release that was refused
        page.get_by_role("link", name="Back to the cases").click()
        expect(page.locator("tr[data-case]")).to_contain_text("<b>Gate</b>, 17 March")
        assert view.faults == []
