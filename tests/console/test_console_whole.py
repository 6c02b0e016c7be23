"""The whole way in a real Chromium with a real worker: a zone is drawn, and the rule uses it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.browser import screen
from support.running import File, Running
from support.site import ZONE, camera, gathering, write_network

from streams.config import load_site

pytestmark = pytest.mark.browser

PATIENCE_MS = 60_000
CORNER = ZONE | {"polygon": [[0.0, 0.0], [0.2, 0.0], [0.2, 0.2]]}


def test_a_zone_is_drawn_and_the_rule_uses_it(browser, api, tmp_path, monkeypatch):
    """People stand where no zone is; an administrator draws one around them, and the alert that comes names it."""
    monkeypatch.setenv("WATCHPOST_TOKEN", api.token)
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(write_network(tmp_path / "networks")))
    film = gathering(tmp_path / "stand.mp4", 30)
    file = File(tmp_path, api.base_url)
    yard = camera("yard", film, pace="realtime", loop=True, zones=[CORNER])
    worker = Running(load_site(file.write(yard)))
    try:
        with screen(browser, api, 1280, 1000) as view:
            view.open("#/cameras")
            view.log_in("admin")
            page = view.page
            page.set_default_timeout(PATIENCE_MS)
            page.locator("a.camera-row").click()
            page.wait_for_selector("button[data-draw=zones]")
            view.until("document.querySelector('.stage-picture')?.naturalWidth > 0", PATIENCE_MS)
            page.get_by_role("button", name="Draw a zone").click()
            box = page.locator(".drawing").bounding_box()
            for x, y in ((0.1, 0.3), (0.9, 0.3), (0.9, 0.9), (0.1, 0.9), (0.1, 0.3)):
                page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
            page.locator("[data-place='zones-1'] input").fill("drawn here")
            page.keyboard.press("Tab")
            page.locator(".rule summary").first.click()
            page.get_by_label("Zone", exact=True).select_option("drawn here")
            page.get_by_role("button", name="Save as version 1").click()
            expect(page.locator(".standing")).to_contain_text("Version 1 is in force", timeout=PATIENCE_MS)
            page.get_by_role("link", name="Live", exact=True).click()
            row = page.locator("li[data-alert]").first
            expect(row).to_contain_text("drawn here", timeout=PATIENCE_MS)
            expect(row).to_contain_text("Gathering")
            expect(page.locator(".tile-zones")).to_contain_text("drawn here", timeout=PATIENCE_MS)
    finally:
        worker.stop.set()
        worker.end()
