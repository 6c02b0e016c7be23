"""People who are blurred, and then revealed with a reason, in a real Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# How far the brightness within the person's block and around it is from one value, in the shown clip's first picture.
_EDGES = """(() => {
  const shown = document.querySelector("video");
  if (!shown || shown.readyState < 2) return null;
  const canvas = document.createElement("canvas");
  canvas.width = shown.videoWidth; canvas.height = shown.videoHeight;
  const paint = canvas.getContext("2d");
  paint.drawImage(shown, 0, 0);
  const row = paint.getImageData(0, 200, canvas.width, 1).data;
  let steepest = 0;
  for (let x = 1; x < canvas.width; x++) steepest = Math.max(steepest, Math.abs(row[4 * x] - row[4 * x - 4]));
  return { steepest };
})()"""


def test_people_are_blurred_until_a_reason_is_given(open_screen, api, worker):
    """An admin chooses; the operator sees a blurred clip, gives a reason, sees it clear; it is in the audit; a viewer cannot."""
    worker.send_camera()
    alert_id = worker.send(1)
    for kind in ("snapshot", "overlay", "clip"):
        worker.send_media(alert_id, kind)
    with open_screen() as admin, open_screen() as view, open_screen() as viewer:
        admin.open("#/users")
        admin.log_in("admin")
        form = admin.page.locator(".privacy-form")
        form.get_by_label("Operators").check()
        form.get_by_label("Viewers").check()
        form.get_by_role("button", name="Save").click()
        expect(form).to_contain_text("Saved.")
        view.open(f"#/alerts/{alert_id}")
        view.log_in()
        expect(view.page.locator(".privacy-bar")).to_contain_text("People are blurred for you")
        expect(view.page.locator(".privacy-bar")).to_be_visible()
        blurred = view.until(_EDGES, 60_000)
        assert blurred["steepest"] < 150, "a block with a sharp edge"
        view.press("p")
        view.page.keyboard.type("police request 17/3")
        view.press("Enter")
        expect(view.page.locator(".privacy-bar")).to_be_hidden()
        view.until(f"({_EDGES})?.steepest > 150", 60_000)
        viewer.open(f"#/alerts/{alert_id}")
        viewer.log_in("viewer")
        expect(viewer.page.locator(".privacy-bar")).to_contain_text("An operator can reveal them")
        assert viewer.until(_EDGES, 60_000)["steepest"] < 150
        expect(viewer.page.locator("#reveal-reason")).to_have_count(0)
        admin.open("#/audit?what=reveal")
        line = admin.page.locator("tr[data-line]")
        expect(line).to_have_count(1)
        expect(line).to_contain_text("People revealed")
        expect(line).to_contain_text("police request 17/3")
        admin.open("#/users")
        expect(admin.page.locator(".privacy-form").get_by_label("Operators")).to_be_checked()
