"""Login at a provider in a real Chromium, the provider on another site."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect
from support.browser import screen
from support.live_api import start_api
from support.provider import CLIENT_ID, CLIENT_SECRET, Provider

pytestmark = pytest.mark.browser


@pytest.fixture
def provider():
    running = Provider()
    yield running
    running.close()


@pytest.fixture
def api(tmp_path, monkeypatch, provider):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setenv("WATCHPOST_OIDC_ISSUER", provider.issuer)
    monkeypatch.setenv("WATCHPOST_OIDC_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("WATCHPOST_OIDC_CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("WATCHPOST_OIDC_ROLES", json.dumps({"ops": "operator"}))
    monkeypatch.setenv("WATCHPOST_PUBLIC_URL", f"http://localhost:{port}")
    with ThreadPoolExecutor(1) as pool:  # Chromium's driver has an event loop in this thread already
        running = pool.submit(start_api, tmp_path, port=port).result()
    yield running
    running.stop()


def test_a_person_logs_in_at_the_organisation(browser, api, provider):
    """One click there and back opens the console with the group's role; without a group the login page says so."""
    api.base_url = api.base_url.replace("127.0.0.1", "localhost")
    with screen(browser, api) as view:
        view.open()
        view.page.get_by_role("link", name="Log in at your organisation").click()
        expect(view.page.get_by_role("heading", name="Cameras")).to_be_visible()
        expect(view.page.locator("nav a[data-page=shift]")).to_be_visible()
        expect(view.page.locator("body")).to_contain_text("ann")
        view.page.get_by_role("button", name="Log out").click()
        provider.claims["groups"] = []
        view.page.get_by_role("link", name="Log in at your organisation").click()
        expect(view.page.get_by_role("alert").filter(has_text="was refused")).to_be_visible()
        view.log_in("viewer")
        expect(view.page.get_by_role("heading", name="Cameras")).to_be_visible()
