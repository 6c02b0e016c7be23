"""An operator is called by sound and notification only by choice, which the browser remembers, in a real Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# What would be heard and shown is written down; the page believes that nobody looks at it.
_LISTEN = """
window.heard = 0; window.told = [];
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...at) { window.heard++; return start.apply(this, at); };
window.Notification = class {
  static permission = "PERMISSION";
  static async requestPermission() { return Notification.permission; }
  constructor(title, { body, tag }) { window.told.push({ title, body, tag, notice: this }); }
  close() {}
};
Object.defineProperty(document, "hidden", { get: () => window.unseen ?? false });
"""


def test_nobody_is_called_who_did_not_choose_it(open_screen, worker):
    """Off: silence. On: three beeps for a high one, a notice while unseen, which leads to the alert; kept over a reload."""
    worker.send_camera()
    with open_screen() as view:
        page = view.page
        page.add_init_script(_LISTEN.replace("PERMISSION", "granted"))
        view.open()
        view.log_in()
        calls = page.locator(".calls")
        expect(calls.get_by_label("Sound")).not_to_be_checked()
        expect(calls.get_by_label("Desktop notification")).not_to_be_checked()
        worker.send(1)
        expect(page.locator("li[data-alert]")).to_have_count(1)
        assert page.evaluate("[heard, told.length]") == [0, 0]
        calls.get_by_label("Sound").check()
        calls.get_by_label("Desktop notification").check()
        assert page.evaluate("heard") == 1  # so sounds it
        page.reload()
        expect(calls.get_by_label("Sound")).to_be_checked()
        expect(calls.get_by_label("Desktop notification")).to_be_checked()
        expect(page.locator("li[data-alert]")).to_have_count(1)
        alert_id = worker.send(2, severity="high")
        view.until("heard === 3")
        assert page.evaluate("told.length") == 0  # the page is looked at
        page.evaluate("window.unseen = true")
        alert_id = worker.send(3, severity="high")
        view.until("told.length === 1")
        (notice,) = page.evaluate("told.map(({ title, body, tag }) => ({ title, body, tag }))")
        assert notice["title"] == "High: Gathering, Lawn camera"
        assert notice["tag"] == alert_id
        page.evaluate("told[0].notice.onclick()")
        expect(page.locator(".alert-reason")).to_contain_text("close together")


def test_what_the_browser_refuses_stays_off_and_is_said(open_screen, worker):
    """With notifications blocked the switch goes back and says what to do."""
    with open_screen() as view:
        view.page.add_init_script(_LISTEN.replace("PERMISSION", "denied"))
        view.open()
        view.log_in()
        box = view.page.locator(".calls").get_by_label("Desktop notification")
        box.click()
        expect(view.page.locator(".calls")).to_contain_text("Notifications are blocked")
        expect(box).not_to_be_checked()
