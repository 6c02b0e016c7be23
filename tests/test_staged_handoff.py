"""Hand-offs the whole way: a staged film, a worker, the service, the console in a real Chromium.

Detector and pose network read scripted people and skeletons from the pixels (`benchmarks/skeletoncode.py`); all
else is what runs at a customer's: crops, tracks, assignment, activity network, rule, clip, overlay, console.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from support import staging
from support.browser import chromium, screen
from support.live_api import LiveApi, start_api
from support.site import camera, make_site

from streams.worker import run_worker

pytestmark = pytest.mark.browser
RULE = {"rule": "handoff"}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveApi]:
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(staging.write_networks(tmp_path / "networks")))
    with ThreadPoolExecutor(1) as pool:  # Chromium's driver may have an event loop in this thread
        running = pool.submit(start_api, tmp_path).result()
    monkeypatch.setenv("WATCHPOST_TOKEN", running.token)
    yield running
    running.stop()


def watch(folder: Path, api: LiveApi, films: dict[str, Path]) -> list[dict[str, Any]]:
    """Let a worker watch the films to their end; the alerts that the service then has, whole."""
    tables = [camera(name, film, analyse_fps=5.0, rules=[RULE]) for name, film in films.items()]
    done = run_worker(make_site(folder, api.base_url, *tables), threading.Event(), until_done=True)
    assert (done.n_outbox, done.n_refused) == (0, 0)
    with api.log_in("operator") as client:
        items = client.get("/api/v1/alerts").json()["items"]
        return [client.get(f"/api/v1/alerts/{one['alert_id']}").json() for one in items]


def test_what_changes_hands_is_told_and_a_handshake_is_not(tmp_path: Path, api: LiveApi) -> None:
    """A bag that changes hands: one alert with its reasons, clip and skeletons on the page. A handshake, a fist bump: none."""
    films = {
        "handed": staging.film(tmp_path / "handed.mp4", staging.handed),
        "shaken": staging.film(tmp_path / "shaken.mp4", lambda t, people: None, touch_s=1.2, shake_px=8),
        "bumped": staging.film(tmp_path / "bumped.mp4", staging.kept),
    }
    (alert,) = watch(tmp_path, api, films)
    assert (alert["camera_id"], alert["rule"], alert["severity"]) == ("handed", "handoff", "medium")
    assert (alert["facts"]["evidence"], alert["facts"]["object"]) == ("A", "backpack")
    assert alert["facts"]["exchange_t"] == pytest.approx(staging.MEET_T, abs=0.4)
    assert alert["facts"]["decided_after_s"] <= 1.5
    assert {series["name"] for series in alert["series"]} >= {"wrists_al", "exchange", "in_hand_of"}
    assert {one["state"] for one in alert["media"].values()} == {"ready"}
    with api.log_in("operator") as client:
        overlay = client.get(f"/api/v1/alerts/{alert['alert_id']}/overlay").json()
    near = [one for one in overlay["frames"] if abs(one["t"] - staging.MEET_T) < 0.5]
    assert len(near) >= 8  # a burst: ten a second, though the camera is judged five times
    for one in near:
        drawn = dict(one["skeletons"])
        assert set(drawn) == set(alert["track_ids"])
        right = staging.place(one["t"], 0.5)[0, 9, :2]
        assert drawn[alert["facts"]["giver"]][27:29] == pytest.approx(right.tolist(), abs=12)
    with chromium() as browser, screen(browser, api) as view:
        view.open(f"#/alerts/{alert['alert_id']}")
        view.log_in()
        expect(view.page.locator(".alert-reason")).to_contain_text("A backpack went from one person's hand")
        view.until("document.querySelector('video')?.readyState >= 2")
        at = staging.MEET_T - alert["media"]["clip"]["start_t"] + 0.05
        view.until(
            f"((video) => (video.pause(), !video.seeking && Math.abs(video.currentTime - {at}) < 0.001)"
            f" || (video.currentTime = {at}, false))(document.querySelector('video'))"
        )
        expect(view.page.locator(".skeleton-member .hand")).to_have_count(4)
        expect(view.page.locator(".plot")).to_have_count(len(alert["series"]))
        expect(view.page.locator(".facts").first).to_contain_text("A: the thing was in one's hand")
        view.page.screenshot(path=tmp_path / "alert.png", full_page=True)
