"""The operator's day in a real Chromium against the real service: log in, see, judge, go on."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect
from support.live_api import LiveApi

from api.auth import add_with_one_time_password
from api.db.store import open_store
from api.settings import Settings
from detector.types import Phase, Severity

pytestmark = pytest.mark.browser

# What is white in the picture on the screen, in picture px: {x0, y0, x1, y1}.
_WHITE = """(() => {
  const video = document.querySelector("video");
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  const paint = canvas.getContext("2d");
  paint.drawImage(video, 0, 0);
  const { data } = paint.getImageData(0, 0, canvas.width, canvas.height);
  const xs = [], ys = [];
  for (let i = 0; i < data.length; i += 4) if (data[i] > 150) {
    xs.push((i / 4) % canvas.width); ys.push(Math.floor(i / 4 / canvas.width));
  }
  return [Math.min(...xs.slice(0, 9e4)), ys[0], Math.max(...xs.slice(0, 9e4)) + 1, ys.at(-1) + 1];
})()"""

# Where the member's box is on the screen, in picture px.
_BOX = """(() => {
  const video = document.querySelector("video");
  const shown = video.getBoundingClientRect();
  const box = document.querySelector(".track-member .box").getBoundingClientRect();
  const [kx, ky] = [video.videoWidth / shown.width, video.videoHeight / shown.height];
  return [(box.left - shown.left) * kx, (box.top - shown.top) * ky, (box.right - shown.left) * kx, (box.bottom - shown.top) * ky];
})()"""


# A clip that was only just begun may play on after a first pause, and a busy browser shows a picture long after
# the seek to it: each try has two seconds for its picture, and the next one comes from elsewhere.
_STILL_AT = """((video, told) => {{
  video.pause();
  const [now, there] = [performance.now(), Math.abs(video.currentTime - {0}) < 0.001];
  if (there && !video.seeking && told === "{1}") return true;
  if (now < (video.tryAgainAt ?? 0)) return false;
  if (there) video.currentTime = 1;
  else {{ video.currentTime = {0}; video.tryAgainAt = now + 2000; }}
  return false;
}})(document.querySelector("video"), document.querySelector(".player").dataset.t)"""


def test_an_alert_is_seen_played_and_judged_without_a_reload(open_screen, api, worker):
    """Login, the alert appears by itself, its clip appears by itself and plays with the box on the block, a key judges it."""
    worker.send_camera()
    with open_screen() as view, api.log_in("operator") as client:
        view.open()
        view.log_in()
        view.page.wait_for_selector(".live-sign.is-live")
        expect(view.page.get_by_text("No alerts yet")).to_be_visible()
        view.page.evaluate("document.body.dataset.same = 'yes'")

        alert_id = worker.send(1)
        row = view.page.locator(f'li[data-alert="{alert_id}"]')
        expect(row).to_be_visible()
        expect(row).to_have_class("row-medium fresh")
        expect(row).to_contain_text("4 people close together for 20 s")
        worker.send_media(alert_id, "snapshot")
        view.until("document.querySelector('img.thumb')?.naturalWidth > 0")

        view.press("j", "Enter")
        expect(view.page.locator(".stage-message")).to_contain_text("The clip is being made")
        expect(view.page.locator(".stage-drawn .box")).to_have_count(1)
        worker.send_media(alert_id, "overlay")
        worker.send_media(alert_id, "clip")
        view.until("document.querySelector('video')?.readyState >= 2")
        view.until("document.querySelector('video').currentTime > 0.5")

        view.until(_STILL_AT.format(2.35, "102.300"), 60_000)
        expect(view.page.locator(".track")).to_have_count(2)
        assert view.page.evaluate(_BOX) == pytest.approx(view.page.evaluate(_WHITE), abs=4)
        view.press(".")
        view.until("document.querySelector('.player').dataset.t === '102.400'")
        assert view.page.evaluate(_BOX) == pytest.approx(view.page.evaluate(_WHITE), abs=4)

        view.press("f", "4")
        given = view.page.locator(".verdict-given")
        expect(given).to_contain_text("False: normal behaviour")
        stored = client.get(f"/api/v1/alerts/{alert_id}").json()["verdict"]
        assert (stored["verdict"], stored["reason"], stored["by"]) == (
            "false",
            "normal_behaviour",
            "operator",
        )
        view.press("n")
        expect(view.page.get_by_text("All caught up")).to_be_visible()
        assert view.page.evaluate("document.body.dataset.same") == "yes"


def test_the_queue_is_most_severe_then_oldest_and_next_walks_it(open_screen, worker):
    """Alerts without a verdict are ordered by severity, then age; `n` after a verdict opens the next of them."""
    ids = [
        worker.send(n, severity=severity)
        for n, severity in enumerate([Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.MEDIUM])
    ]
    order = [ids[2], ids[1], ids[3], ids[0]]
    with open_screen() as view:
        view.open("#/review")
        view.log_in()
        expect(view.page.locator("li[data-alert]")).to_have_count(4)
        seen = view.page.eval_on_selector_all("li[data-alert]", "rows => rows.map(row => row.dataset.alert)")
        assert seen == order
        view.press("j", "j", "Enter")
        view.page.wait_for_url(f"**/#/alerts/{order[1]}")
        expect(view.page.get_by_role("heading", name="Gathering")).to_be_visible()
        view.press("1")
        expect(view.page.locator(".verdict-given")).to_contain_text("True")
        view.press("n")
        view.page.wait_for_url(f"**/#/alerts/{order[2]}")
        view.press("r")
        expect(view.page.locator("li[data-alert]")).to_have_count(3)


def test_the_reason_other_needs_a_note(open_screen, api, worker):
    """`other` without a note is not sent: the note gets the focus, and Enter in it saves."""
    alert_id = worker.send(1)
    with open_screen() as view, api.log_in("operator") as client:
        view.open(f"#/alerts/{alert_id}")
        view.log_in()
        expect(view.page.get_by_role("heading", name="Gathering")).to_be_visible()
        view.press("u", "7")
        expect(view.page.locator("#verdict-note")).to_be_focused()
        view.page.keyboard.type("a 1, 2, 3 of balloons")
        view.press("Enter")
        expect(view.page.locator(".verdict-given")).to_contain_text("a 1, 2, 3 of balloons")
        verdicts = client.get(f"/api/v1/alerts/{alert_id}").json()["verdicts"]
        assert [(v["verdict"], v["reason"]) for v in verdicts] == [("unclear", "other")]


def test_an_open_alert_follows_its_phases(open_screen, worker):
    """An alert page shows a rise in severity and the end as they come; a later box is not drawn on the first picture."""
    worker.send_camera()
    alert_id = worker.send(1)
    with open_screen() as view:
        view.open(f"#/alerts/{alert_id}")
        view.log_in()
        expect(view.page.locator(".alert-title")).to_contain_text("Ongoing")
        worker.send_media(alert_id, "snapshot")
        expect(view.page.locator(".stage-drawn .box")).to_have_count(1)
        worker.send(1, Phase.UPDATED, 1, severity=Severity.HIGH)
        expect(view.page.locator(".alert-title")).to_contain_text("High")
        expect(view.page.locator(".stage-drawn .box")).to_have_count(0)
        worker.send(1, Phase.CLOSED, 2)
        expect(view.page.locator(".alert-title")).to_contain_text("Ended")
        expect(view.page.locator(".history li:not(.history-deed)")).to_have_count(3)


def test_an_alert_that_carries_on_leads_to_the_one_before(open_screen, worker):
    """The fact `follows` is a link to the interrupted alert, not an id to read (API-01)."""
    worker.send_camera()
    first = worker.send(1, facts={"end_reason": "interrupted"}, phase=Phase.CLOSED, revision=1)
    second = worker.send(2, facts={"follows": first})
    with open_screen() as view:
        view.open(f"#/alerts/{second}")
        view.log_in()
        view.page.get_by_role("link", name="an interrupted alert").click()
        expect(view.page.get_by_text("interrupted", exact=True)).to_be_visible()
        assert view.page.url.endswith(first)


def test_a_clip_that_falls_short_says_so(open_screen, worker):
    """A clip with less before the incident than wanted is played, and its note stands on the picture (CLP-05)."""
    alert_id = worker.send(1)
    worker.send_media(alert_id, "clip", "short pre-roll: it begins 4.0 s later than wanted")
    with open_screen() as view:
        view.open(f"#/alerts/{alert_id}")
        view.log_in()
        expect(view.page.locator(".stage-message")).to_contain_text("short pre-roll")
        view.until("document.querySelector('video').readyState >= 2")


def test_missing_evidence_says_why(open_screen, worker):
    """A clip that will never come is said so, with the worker's reason, and the page is still usable."""
    alert_id = worker.send(1)
    for kind in ("snapshot", "clip", "overlay"):
        worker.send_missing(alert_id, kind, f"the {kind} was lost in a power cut")
    with open_screen() as view:
        view.open(f"#/alerts/{alert_id}")
        view.log_in()
        message = view.page.locator(".stage-message")
        expect(message).to_have_text("There is no clip: the clip was lost in a power cut")
        expect(view.page.locator(".stage-none")).to_contain_text("the snapshot was lost in a power cut")
        expect(view.page.get_by_role("button", name="Play")).to_be_disabled()


def test_cameras_show_their_state_and_rules_in_words(open_screen, worker):
    """A tile shows picture, zones by name, people, coverage and rules, and turns to its state when that changes."""
    worker.send_camera()
    worker.send_pulse()
    with open_screen() as view:
        view.open()
        view.log_in()
        tile = view.page.locator('[data-camera="lawn"]')
        for words in ("Lawn camera", "Online", "4 people", "97 % covered", "grass"):
            expect(tile).to_contain_text(words)
        expect(tile).to_contain_text("Gathering: at least 3 people for 6 s in grass")
        view.until("document.querySelector('.tile-picture').naturalWidth > 0")
        worker.send_pulse(state="offline", reason="no picture for 20 s", n_people=0)
        expect(tile).to_contain_text("Offline")
        expect(tile).to_contain_text("no picture for 20 s")


def test_plain_rules_and_lines_are_told_in_words_and_drawn(open_screen, worker):
    """Each plain rule is one plain sentence with its place and times; a line is drawn with its direction."""
    hold = {"hold_s": 2.0}
    rules = {
        "loitering": ("grass", {"grace_s": 0.5}, "Loitering: one person for 2 s in grass"),
        "occupancy": ("grass", {"min_people": 9}, "Occupancy: at least 9 people for 2 s in grass"),
        "forbidden": ("", {"active": "Mon-Fri 18:00-06:00, Sat-Sun"},
                      "Forbidden: anyone for 2 s in the whole picture, Mon-Fri 18:00-06:00, Sat-Sun"),
        "crossing": ("door", {"direction": "to_left"}, "Crossing: to its left for 2 s over door"),
        "running": ("", {"min_pace_bh_s": 1.6}, "Running: from 1.6 body heights/s for 2 s in the whole picture"),
        "wrong_way": ("grass", {"line": "door"}, "Wrong way: against door for 2 s in grass"),
        "left_behind": ("", {"reach_bh": 1.5},
                        "Left behind: a bag without its people within 1.5 body heights for 2 s in the whole picture"),
    }  # fmt: skip
    worker.send_camera(
        zones=[
            {"name": "grass", "polygon": [[0.1, 0.2], [0.9, 0.2], [0.9, 0.9], [0.1, 0.9]]},
            {"name": "door", "polygon": [[0.3, 0.5], [0.7, 0.5]]},
        ],
        rules=[
            {"rule": name, "zone": zone, "params": params | hold} for name, (zone, params, _) in rules.items()
        ],
    )
    worker.send_pulse()
    alert_id = worker.send(
        rule="crossing", zone="door", facts={"direction": "to the left", "pace_bh_s": 0.8, "n_people_max": 1}
    )
    worker.send_missing(alert_id, "clip", "not kept")
    with open_screen() as view:
        view.open()
        view.log_in()
        tile = view.page.locator('[data-camera="lawn"]')
        for _, _, words in rules.values():
            expect(tile).to_contain_text(words)
        expect(tile).to_contain_text("door")
        expect(tile.locator("polygon.zone")).to_have_count(1)
        expect(tile.locator("path.zone-line")).to_have_count(1)
        view.open(f"#/alerts/{alert_id}")
        expect(view.page.locator(".stage-zone path.zone-line")).to_have_count(1)
        expect(view.page.locator("body")).to_contain_text("to the left")


def test_a_removed_camera_leaves_the_page(open_screen, worker):
    """Its tile goes by itself, the count too; what the site file has wrong is told on a tile that is online."""
    for camera_id in ("lawn", "gate"):
        worker.send_camera(camera_id, name=camera_id)
        worker.send_pulse(camera_id)
    with open_screen() as view:
        view.open()
        view.log_in()
        expect(view.page.locator(".tile")).to_have_count(2)
        worker.send_pulse("gate", state="removed", reason="no longer in the site file")
        expect(view.page.locator(".tile")).to_have_count(1)
        expect(view.page.get_by_text("1 of 1 online")).to_be_visible()
        worker.send_pulse(reason="(watched as before; site file: cameras[0]: wrong)")
        expect(view.page.locator('[data-camera="lawn"]')).to_contain_text("watched as before")
        worker.send_pulse("gate")
        expect(view.page.locator(".tile")).to_have_count(2)


def test_a_one_time_password_must_be_changed_first(open_screen, api, tmp_path):
    """Who must change the password sees nothing else until it is changed, is in then, and the old one opens nothing."""

    async def add() -> str:
        async with open_store(Settings(data_dir=tmp_path / "api")) as store:
            return await add_with_one_time_password(store, "newcomer", "operator")

    with ThreadPoolExecutor(1) as pool:  # Chromium's driver has an event loop in this thread already
        one_time = pool.submit(asyncio.run, add()).result()
    chosen = "marble under seven hats"
    with open_screen() as view:
        view.open()
        view.log_in("newcomer", one_time)
        expect(view.page.get_by_role("heading", name="Choose a password")).to_be_visible()
        expect(view.page.get_by_role("navigation")).to_have_count(0)
        view.page.fill("#old", one_time)
        view.page.fill("#new", chosen)
        view.page.fill("#again", "marble under seven cats")
        view.press("Enter")
        expect(view.page.get_by_role("alert")).to_contain_text("not the same")
        view.page.fill("#again", chosen)
        view.press("Enter")
        expect(view.page.locator(".live-sign")).to_have_text("Live")
        view.page.get_by_role("button", name="Log out").click()
        view.log_in("newcomer", one_time)
        expect(view.page.get_by_role("alert")).to_contain_text("do not fit")
        view.log_in("newcomer", chosen)
        expect(view.page.locator(".live-sign")).to_have_text("Live")
        view.faults = [fault for fault in view.faults if "401" not in fault]


def test_a_viewer_looks_and_does_not_judge(open_screen, worker):
    """A viewer gets no verdict buttons, and the keys do nothing."""
    alert_id = worker.send(1)
    with open_screen() as view:
        view.open(f"#/alerts/{alert_id}")
        view.log_in("viewer")
        expect(view.page.get_by_text("Your role can look")).to_be_visible()
        expect(view.page.locator(".choice")).to_have_count(0)
        view.press("1")
        expect(view.page.locator(".verdict-given")).to_be_hidden()


def test_logging_out_ends_the_session(open_screen, api: LiveApi):
    """After logging out the gate is shown, also after a reload."""
    with open_screen() as view:
        view.open()
        view.log_in()
        expect(view.page.get_by_text("No alerts yet")).to_be_visible()
        view.page.get_by_role("button", name="Log out").click()
        expect(view.page.get_by_role("button", name="Log in")).to_be_visible()
        view.page.reload()
        expect(view.page.get_by_role("button", name="Log in")).to_be_visible()
