"""What must not break the console: hostile names, a service that restarts or falls silent, small screens, no mouse."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from support.live_api import start_api

from detector.types import Phase

pytestmark = pytest.mark.browser

_IMAGE = "<img src=x onerror=alert(1)>"
_SVG = '"><svg/onload=alert(2)>'
_LINK = "javascript:alert(3)"
_BRACES = "{{7*7}}"


def test_markup_in_names_is_shown_as_text(open_screen, api, worker):
    """SEC-03: names, zones, reasons, facts, units and notes that are markup appear as they were written and run nowhere."""
    square = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]
    worker.send_camera(
        name=_IMAGE,
        timezone=_SVG,
        zones=[{"name": _SVG, "polygon": square}],
        rules=[{"rule": "gathering", "zone": _SVG, "params": {_IMAGE: _SVG}}],
    )
    worker.send_pulse(state="offline", reason=_BRACES + _IMAGE)
    series = [{"name": _IMAGE, "unit": "<b>x</b>", "threshold": 1.0, "t": [0.0, 1.0], "v": [1.0, 2.0]}]
    facts = {_IMAGE: _SVG, "end_reason": _LINK}
    alert_id = worker.send(1, zone=_SVG, reason=_LINK + _IMAGE, facts=facts, series=series)
    worker.send_missing(alert_id, "clip", _IMAGE)
    with api.log_in("operator") as client:
        verdict = {"verdict": "false", "reason": "other", "note": _SVG + _IMAGE}
        client.post(f"/api/v1/alerts/{alert_id}/verdict", json=verdict).raise_for_status()
    with open_screen() as view:
        view.open()
        view.log_in()
        expect(view.page.locator('[data-camera="lawn"]')).to_contain_text(_IMAGE)
        expect(view.page.locator(".tile .zone-name")).to_have_text(_SVG)
        expect(view.page.locator(".row-reason")).to_have_text(_LINK + _IMAGE)
        view.open("#/review?verdict=any")
        expect(view.page.locator(".row-reason")).to_have_text(_LINK + _IMAGE)
        expect(view.page.locator("#filter-camera_id option", has_text=_IMAGE)).to_have_count(1)
        view.press("j", "Enter")
        expect(view.page.locator(".alert-reason")).to_have_text(_LINK + _IMAGE)
        expect(view.page.locator(".note-text")).to_have_text(_SVG + _IMAGE)
        expect(view.page.locator(".stage-message")).to_contain_text(_IMAGE)
        expect(view.page.locator(".facts dd", has_text=_SVG)).to_be_visible()
        expect(view.page.locator(".plot-name")).to_contain_text("onerror=alert(1)")
        assert view.page.locator("img[src=x], [onerror], [onload], a[href^=javascript]").count() == 0


def test_the_feed_catches_up_after_the_service_restarts(open_screen, api, worker, tmp_path):
    """API-10: what happened while the console was cut off is there once and in order, by resuming from the last number."""
    first = [worker.send(n) for n in range(3)]
    port = urlsplit(api.base_url).port
    resumed_from: list[str] = []
    with open_screen() as view:
        view.open()
        view.log_in()
        expect(view.page.locator("li[data-alert]")).to_have_count(3)
        seen_live = worker.send(3)
        expect(view.page.locator("li[data-alert]")).to_have_count(4)
        view.page.evaluate("document.body.dataset.same = 'yes'")

        view.page.on("request", lambda sent: resumed_from.append(sent.headers.get("last-event-id", "")))
        view.page.route("**/api/v1/**", lambda route: route.abort())
        api.stop()
        expect(view.page.locator(".live-sign")).to_contain_text("Not live since")
        again = start_api(tmp_path, token=api.token, port=port or 0)
        missed = [worker.send(n) for n in range(4, 8)]
        worker.send(3, Phase.CLOSED, 1)

        view.page.unroute("**/api/v1/**")
        expect(view.page.locator(".live-sign")).to_have_text("Live")
        rows = view.page.locator("li[data-alert]")
        expect(rows).to_have_count(8)
        shown = view.page.eval_on_selector_all("li[data-alert]", "rows => rows.map(row => row.dataset.alert)")
        assert shown == [*reversed(missed), seen_live, *reversed(first)]
        expect(view.page.locator(f'li[data-alert="{seen_live}"]')).to_contain_text("Ended")
        assert any(number.isdecimal() for number in resumed_from)
        assert view.page.evaluate("document.body.dataset.same") == "yes"
        view.faults = [fault for fault in view.faults if "net::ERR_" not in fault]
    again.stop()


def test_a_silent_connection_is_called_not_live_within_45_s(open_screen, worker):
    """A connection over which nothing comes, not even the heartbeat, is given up and said to be not live; then it resumes."""
    with open_screen() as view:
        view.page.clock.install()
        view.open()
        view.log_in()
        expect(view.page.get_by_text("No alerts yet")).to_be_visible()
        view.page.route("**/api/v1/feed", lambda route: route.abort())
        view.page.clock.fast_forward(30_000)
        expect(view.page.locator(".live-sign")).to_have_text("Live")
        view.page.clock.fast_forward(14_000)
        expect(view.page.locator(".live-sign")).to_contain_text("Not live since")
        view.page.unroute("**/api/v1/feed")
        view.page.clock.fast_forward(30_000)
        expect(view.page.locator(".live-sign")).to_have_text("Live")
        view.faults = [fault for fault in view.faults if "net::ERR_" not in fault]


def test_a_session_that_was_ended_elsewhere_asks_for_a_login(open_screen, api, worker):
    """When the service says that nobody is logged in, the gate is shown instead of old data."""
    with open_screen() as view:
        view.open()
        view.log_in()
        expect(view.page.get_by_text("No alerts yet")).to_be_visible()
        view.context.clear_cookies()
        expect(view.page.get_by_role("button", name="Log in")).to_be_visible()
        view.faults = [fault for fault in view.faults if "401" not in fault]


def test_nothing_runs_off_the_screen(open_screen, worker):
    """At both sizes no page is wider than the screen, even with the longest names and reasons."""
    worker.send_camera(name="Loading yard behind the north building " * 2, zones=[], rules=[])
    reason = "nospaces" * 30 + " and then some words " * 10
    alert_id = worker.send(
        1, zone="z" * 100, reason=reason, facts={"a_very_long_name_of_a_fact_" * 3: "v" * 200}
    )
    worker.send_media(alert_id, "snapshot")
    with open_screen() as view:
        view.open()
        view.log_in()
        for width, height in ((1280, 800), (820, 1180)):
            view.page.set_viewport_size({"width": width, "height": height})
            for place, part in (
                ("#/live", ".tile"),
                ("#/review", ".alert-row"),
                ("#/cameras", ".camera-row"),
                (f"#/alerts/{alert_id}", ".facts"),
            ):
                view.open(place)
                view.page.wait_for_selector(part)
                over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert view.page.evaluate(over) == 0, (place, width)


@pytest.mark.parametrize(("apart_s", "named"), [(1.0, ["Alert"]), (40.0, ["Started", "Alert"])])
def test_words_under_the_plots_never_overlap(open_screen, worker, apart_s, named):
    """Where the beginning and the alert are too near for two words, the one of the alert stands."""
    worker.send_camera()
    people = {"name": "people", "unit": "", "threshold": 4, "t": [0.0, 100.0], "v": [3, 4]}
    alert_id = worker.send(1, started_t=90.0 - apart_s, t=90.0, series=[people])
    with open_screen() as view:
        view.open(f"#/alerts/{alert_id}")
        view.log_in()
        expect(view.page.locator(".plot-axis > span")).to_have_text(named)


def test_every_control_has_a_name_and_help_lists_the_keys(open_screen, worker):
    """A screen reader can name each control; `?` lists the keys that work here and closes again."""
    alert_id = worker.send(1)
    with open_screen() as view:
        view.open(f"#/alerts/{alert_id}")
        view.log_in()
        expect(view.page.get_by_role("heading", name="Gathering")).to_be_visible()
        view.press("?")
        help_page = view.page.get_by_role("dialog", name="Keys")
        for words in ("Play or pause", "Next alert without a verdict", "Review queue"):
            expect(help_page).to_contain_text(words)
        view.press("?")
        expect(help_page).to_have_count(0)
        nameless = view.page.evaluate(
            """[...document.querySelectorAll("button, a, input, select, textarea")].filter((node) =>
                 !node.textContent.trim() && !node.ariaLabel && !node.labels?.length).length"""
        )
        assert nameless == 0


def test_light_and_dark_are_remembered(open_screen):
    """The chosen scheme is there again after a reload."""
    with open_screen() as view:
        view.open()
        view.log_in()
        ground = "getComputedStyle(document.body).backgroundColor"
        before = view.page.evaluate(ground)
        view.page.get_by_role("button", name="Light or dark").click()
        after = view.page.evaluate(ground)
        assert after != before
        view.page.reload()
        assert view.page.evaluate(ground) == after


def test_the_stream_is_read_the_same_however_it_is_cut(open_screen):
    """Messages of the feed do not depend on where the network cuts the bytes; comments are not messages."""
    text = ': ping\n\nid: 7\nevent: alert\ndata: {"a":\ndata: 1}\n\ndata: x\r\n\r\nevent: ready\ndata: {}\n\n'
    with open_screen() as view:
        view.open()
        cuts = view.page.evaluate(
            """async (text) => {
              const { Messages } = await import("/static/feed.js");
              const whole = JSON.stringify(new Messages().push(text));
              for (let i = 1; i < text.length; i++) {
                const reader = new Messages();
                const parts = [...reader.push(text.slice(0, i)), ...reader.push(text.slice(i))];
                if (JSON.stringify(parts) !== whole) return `cut at ${i}: ${JSON.stringify(parts)}`;
              }
              return JSON.parse(whole);
            }""",
            text,
        )
        assert cuts == [
            {"kind": "alert", "id": "7", "data": '{"a":\n1}'},
            {"kind": "message", "id": None, "data": "x"},
            {"kind": "ready", "id": None, "data": "{}"},
        ]


def test_boxes_move_between_looks_and_end_with_them(open_screen):
    """Between two looks a track moves in a straight line, one seen once fills its half; far from any look none is claimed."""
    frames = [
        {"t": 0.0, "boxes": [[1, 0, 0, 10, 10], [2, 50, 50, 60, 60]]},
        {"t": 1.0, "boxes": [[1, 20, 0, 30, 10], [3, 80, 80, 90, 90]]},
    ]
    last = {"1": [20, 0, 30, 10], "3": [80, 80, 90, 90]}
    wanted = {
        0.0: {"1": [0, 0, 10, 10], "2": [50, 50, 60, 60]},
        0.25: {"1": [5, 0, 15, 10], "2": [50, 50, 60, 60]},
        0.75: {"1": [15, 0, 25, 10], "3": [80, 80, 90, 90]},
        1.0: last,
        1.9: last,
        2.5: {},
        -1.5: {},
    }
    with open_screen() as view:
        view.open()
        found = view.page.evaluate(
            """async ([frames, times]) => {
              const { boxesAt } = await import("/static/overlay.js");
              return times.map((t) => Object.fromEntries(boxesAt(frames, t)));
            }""",
            [frames, list(wanted)],
        )
        assert dict(zip(wanted, found, strict=True)) == wanted
