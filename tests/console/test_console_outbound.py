"""What an administrator sees and does about targets outside."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect
from support.browser import screen
from support.hook import hook
from support.live_api import start_api

pytestmark = pytest.mark.browser


def test_a_webhook_is_added_tested_and_fed(browser, tmp_path, monkeypatch, worker_of, evidence):
    """An admin types an address, sends a test, and the next alert is in the log; the address's path is shown no more."""
    monkeypatch.setenv("WATCHPOST_OUTBOUND_PRIVATE", "true")
    with ThreadPoolExecutor(1) as pool:  # Chromium's driver has an event loop in this thread already
        api = pool.submit(start_api, tmp_path).result()
    worker = worker_of(api, evidence)
    with hook() as receiver, screen(browser, api) as view:
        view.open("#/outbound")
        view.log_in("admin")
        page = view.page
        expect(page.get_by_text("No targets yet")).to_be_visible()
        page.get_by_role("button", name="Add a target").click()
        page.get_by_label("Name").fill('<img src=x onerror="alert(1)">')
        page.get_by_label("Address").fill(receiver.url)
        assert page.get_by_label("Signing key").input_value().startswith("whsec_")
        page.get_by_role("button", name="Add", exact=True).click()
        card = page.locator("[data-target]")
        expect(card).to_contain_text('<img src=x onerror="alert(1)">')
        expect(card).not_to_contain_text("SECRETPATH")
        card.get_by_role("button", name="Send a test").click()
        expect(card).to_contain_text("Test delivered: answered 200")
        worker.send(1)
        card.get_by_role("button", name="Log").click()
        expect(card.locator("table")).to_contain_text("Delivered")
        assert json.loads(receiver.came[0][1])["type"] == "test"
        receiver.status = 503
        worker.send(2)
        expect(card).to_contain_text("Not reached")
        expect(card).to_contain_text("1 waiting")
        card.get_by_role("button", name="Edit").click()
        assert card.get_by_label("Signing key").input_value() == ""
        card.get_by_role("button", name="Remove").click()
        card.get_by_role("button", name="Remove it with all that waits").click()
        expect(page.get_by_text("No targets yet")).to_be_visible()
    worker.close()
    api.stop()


def test_an_address_that_is_not_allowed_is_told_at_the_form(open_screen, api):
    """A loopback address is refused in words that say which setting would allow it; an operator sees no such page. (SEC-04)"""
    with open_screen() as view, api.log_in("admin") as client:
        view.open("#/outbound")
        view.log_in("admin")
        view.page.get_by_role("button", name="Add a target").click()
        view.page.get_by_label("Name").fill("x")
        view.page.get_by_label("Kind").select_option("mqtt")
        view.page.get_by_label("Host").fill("127.0.0.1")
        view.page.get_by_role("button", name="Add", exact=True).click()
        expect(view.page.get_by_role("alert")).to_contain_text("WATCHPOST_OUTBOUND_PRIVATE")
        assert client.get("/api/v1/outbound").json() == []
        view.faults.clear()  # Chromium notes the 422
    with open_screen() as other:
        other.open()
        other.log_in("operator")
        expect(other.page.get_by_role("link", name="Review")).to_be_visible()
        expect(other.page.get_by_role("link", name="Outbound")).to_have_count(0)
