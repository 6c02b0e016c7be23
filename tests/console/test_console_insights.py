"""The pages of figures: Insights and Health."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from api.bundle import verify_bundle

pytestmark = pytest.mark.browser


def test_insights_show_precision_with_its_counts_and_interval(open_screen, api, worker):
    """After a verdict the page tells counts, share and interval, and what was seen of each camera."""
    worker.send_camera()
    worker.send_pulse(coverage=0.42)
    ids = [worker.send(number) for number in range(3)]
    with api.log_in("operator") as client:
        client.post(f"/api/v1/alerts/{ids[0]}/verdict", json={"verdict": "true"}).raise_for_status()
    with open_screen() as view:
        view.open("#/insights?days=31")
        view.log_in()
        view.page.get_by_role("heading", name="Insights").wait_for()
        expect(view.page.get_by_role("region", name="What was seen")).to_contain_text("42 %")


def test_health_shows_trouble_first(open_screen, api, worker):
    """A camera that is offline stands before one that is well, with its reason; the worker with its outbox beside them."""
    worker.send_camera("well", name="A camera that is well")
    worker.send_camera("away", name="Z camera that is away")
    worker.send_pulse("well")
    worker.send_pulse(
        "away",
        state="offline",
        reason="rtsp://cam/…: no route",
        trouble="no_route",
        disk={"free_bytes": 0, "total_bytes": 8, "full": True},
    )
    with open_screen() as view:
        view.open("#/health")
        view.log_in("viewer")
        rows = view.page.get_by_role("region", name="Cameras").locator("tbody tr")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("The network does not lead there")
        expect(rows.first).to_contain_text("no route")
        expect(view.page.get_by_role("region", name="Workers")).to_contain_text("Well")
        expect(view.page.get_by_role("region", name="Workers")).to_contain_text("Full: no evidence")
        expect(view.page.locator("code")).to_have_text(re.compile(r"^[0-9a-f]{64}$"))


def test_a_bundle_is_downloaded_from_the_alert(open_screen, api, worker, tmp_path):
    """The button on an alert gives a file that `verify_bundle` finds whole; a viewer has no such button."""
    worker.send_camera()
    alert_id = worker.send(1)
    for kind in ("clip", "snapshot", "overlay"):
        worker.send_media(alert_id, kind)
    with open_screen() as view:
        view.open(f"#/alerts/{alert_id}")
        view.log_in()
        with view.page.expect_download() as waiting:
            view.page.get_by_role("link", name="Download signed bundle").click()
        saved = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(saved)
        found = verify_bundle(saved)
        assert (found.problems, found.made_by) == ([], "operator")
        assert alert_id in found.about
    with open_screen() as other:
        other.open(f"#/alerts/{alert_id}")
        other.log_in("viewer")
        expect(other.page.locator(".hold-bar")).to_contain_text("Not held")
        expect(other.page.get_by_role("link", name="Download signed bundle")).to_have_count(0)
