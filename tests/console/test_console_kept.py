"""What a person sees and does about what is kept: hold on an alert, evidence that went, a disk that is nearly full."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect
from support.browser import screen
from support.disks import small_disk
from support.live_api import start_api

pytestmark = pytest.mark.browser


def test_an_alert_is_held_and_released_with_one_key(open_screen, api, worker):
    """`h` or the button holds the evidence and says who and when, also on another's screen; again releases it. (CLP-09)"""
    alert_id = worker.send(1)
    with open_screen() as view, open_screen() as other, api.log_in("admin") as client:
        for screen_, name in ((view, "operator"), (other, "viewer")):
            screen_.open(f"#/alerts/{alert_id}")
            screen_.log_in(name)
            expect(screen_.page.locator(".hold-bar")).to_contain_text("Not held")
        expect(other.page.get_by_role("button", name="Hold")).to_have_count(0)
        other.press("h")
        view.press("h")
        for screen_ in (view, other):
            expect(screen_.page.locator(".hold-bar")).to_contain_text("Held by operator")
        expect(view.page.locator(".hold-bar time")).to_have_count(1)
        held = client.get(f"/api/v1/alerts/{alert_id}").json()["hold"]
        assert held["by"] == "operator"
        view.page.get_by_role("button", name="Release").click()
        for screen_ in (view, other):
            expect(screen_.page.locator(".hold-bar")).to_contain_text("Not held")
        assert client.get(f"/api/v1/alerts/{alert_id}").json()["hold"] is None
        view.press("?")
        expect(view.page.get_by_role("dialog", name="Keys")).to_contain_text("Hold the evidence")


def test_a_disk_nearly_full_is_told_on_every_page(browser, tmp_path, monkeypatch, worker_of):
    """Evidence that went for room says so on its alert, and the console tells of the disk; alerts go on. (CLP-01)"""
    with small_disk(tmp_path / "disk") as disk:
        monkeypatch.setenv("WATCHPOST_MEDIA_DIR", str(disk / "media"))
        with ThreadPoolExecutor(1) as pool:  # Chromium's driver has an event loop in this thread already
            api = pool.submit(start_api, tmp_path).result()
        worker = worker_of(api, {"snapshot": bytes(1_000_000)})
        ids = [worker.send(number) for number in range(10)]
        for alert_id in ids:
            worker.send_media(alert_id, "snapshot")
        worker.send_missing(ids[0], "clip", "none")
        with screen(browser, api) as view:
            view.open(f"#/alerts/{ids[0]}")
            view.log_in()
            expect(view.page.locator(".health-strip")).to_contain_text("disk nearly full")
            expect(view.page.locator(".stage-none")).to_contain_text(
                "removed by retention: the disk was nearly full"
            )
            view.press("l")
            expect(view.page.locator(".health-strip")).to_contain_text("disk nearly full")
            expect(view.page.locator("li[data-alert]")).to_have_count(10)
        worker.close()
        api.stop()
