"""The skeletons of a pair over the clip: in step with the picture, switched by a key, and only where there are any."""

from __future__ import annotations

import json

import pytest
from console.conftest import BLOCK, BLOCK_PX_S, MEMBER, RATE, START_T
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# The drawn hands, x px of the picture.
_HANDS = (
    "[...document.querySelectorAll('.skeleton-member .hand')].map((hand) => Number(hand.getAttribute('cx')))"
)

# A clip that was only just begun may play on after a first pause, and a busy browser may show a picture late.
_STILL_AT = """((video, told) => {{
  video.pause();
  if (video.seeking) return false;
  if (video.paused && Math.abs(video.currentTime - {0}) < 0.001 && told === "{1}") return true;
  video.currentTime = Math.abs(video.currentTime - {0}) < 0.001 ? 1 : {0};
  return false;
}})(document.querySelector("video"), document.querySelector(".player").dataset.t)"""


def _with_skeletons(overlay: bytes) -> bytes:
    """The block is a person whose wrists are at its corners; what is seen of others is a nose alone."""
    doc = json.loads(overlay)
    for frame in doc["frames"]:
        left = BLOCK[0] + BLOCK_PX_S * (frame["t"] - START_T)
        flat = [0.0] * 51
        for joint, x, y in ((5, left, 150), (7, left + 20, 200), (9, left, 250), (10, left + 80, 250)):
            flat[3 * joint : 3 * joint + 3] = [x, y, 0.9]
        flat[30:33] = [left + 80, 250, 0.2]  # the right wrist is a guess
        frame["skeletons"] = [[MEMBER, flat], [99, [300, 100, 0.9] + [0.0] * 48]]
    return json.dumps(doc).encode()


def test_skeletons_move_with_the_picture(open_screen, api, evidence, worker_of):
    """Hands are where they were seen at each picture, guessed joints are not drawn, `k` hides and shows them."""
    worker = worker_of(api, evidence | {"overlay": _with_skeletons(evidence["overlay"])})
    worker.send_camera()
    alert_id = worker.send(1, rule="handoff")
    for kind in ("snapshot", "overlay", "clip"):
        worker.send_media(alert_id, kind)
    worker.close()
    with open_screen() as view:
        view.open(f"#/alerts/{alert_id}")
        view.log_in()
        view.until("document.querySelector('video')?.readyState >= 2")
        for t in (1.05, 2.05):
            shown = f"{START_T + int(t * RATE) / RATE:.3f}"
            view.until(_STILL_AT.format(t, shown))
            wanted = BLOCK[0] + BLOCK_PX_S * (float(shown) - START_T)
            assert view.page.evaluate(_HANDS) == pytest.approx([wanted], abs=0.5)
        expect(view.page.locator(".skeleton")).to_have_count(2)
        bones = view.page.locator(".skeleton-member .bones")
        assert bones.get_attribute("d").count("M") == 2
        expect(bones).to_be_visible()
        view.press("k")
        expect(bones).to_be_hidden()
        expect(view.page.locator(".track-member .box")).to_be_visible()
        view.press("k")
        expect(bones).to_be_visible()
        view.press("?")
        expect(view.page.get_by_role("dialog", name="Keys")).to_contain_text("Skeletons on or off")


def test_without_skeletons_the_switch_is_off(open_screen, worker):
    """An alert whose overlay holds boxes alone, as older ones do: the switch cannot be used, the boxes are drawn."""
    alert_id = worker.send(1)
    for kind in ("snapshot", "overlay", "clip"):
        worker.send_media(alert_id, kind)
    with open_screen() as view:
        view.open(f"#/alerts/{alert_id}")
        view.log_in()
        view.until("document.querySelector('video')?.readyState >= 2")
        expect(view.page.get_by_label("Skeletons")).to_be_disabled()
        expect(view.page.locator(".track-member .box")).to_be_visible()
