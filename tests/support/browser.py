"""A real Chromium on the console. A `Screen` is one person's page; it fails a test on any script error, CSP report or dialog.

The pages' own policy forbids evaluated text, so conditions are polled by `Screen.until`, frame by frame, inside the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, sync_playwright
from support.live_api import PASSWORDS, LiveApi

_CHROMIUM = "/usr/bin/chromium"
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_PATIENCE_MS = 15_000
_UNTIL = """([condition, patience]) => new Promise((done, fail) => {
  const holds = new Function("return (" + condition + ")");
  const end = Date.now() + patience;
  const look = () => {
    const value = holds();
    if (value) done(value);
    else if (Date.now() > end) fail(new Error("never came true: " + condition));
    else requestAnimationFrame(look);
  };
  look();
})"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser for many screens."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


class Screen:
    """A page of its own session that remembers everything that went wrong on it."""

    def __init__(self, context: BrowserContext, base_url: str) -> None:
        self.context = context
        self.base_url = base_url
        self.page: Page = context.new_page()
        self.page.set_default_timeout(_PATIENCE_MS)
        self.faults: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("dialog", self._refuse)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text}")

    def _refuse(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, place: str = "") -> None:
        """Go to a place of the console, e.g. "#/review"."""
        self.page.goto(f"{self.base_url}/{place}")

    def log_in(self, name: str = "operator", password: str | None = None) -> None:
        """Type name and password at the gate."""
        self.page.fill("#name", name)
        self.page.fill("#password", password or PASSWORDS[name])
        self.page.keyboard.press("Enter")

    def press(self, *keys: str) -> None:
        """Press keys one after another."""
        for key in keys:
            self.page.keyboard.press(key)

    def until(self, condition: str, patience_ms: int = _PATIENCE_MS) -> Any:
        """Wait until a JavaScript expression is truthy in the page, and give its value."""
        return self.page.evaluate(_UNTIL, [condition, patience_ms])


@contextmanager
def screen(browser: Browser, api: LiveApi, width: int = 1280, height: int = 800) -> Iterator[Screen]:
    """A fresh session on the console; at the end nothing may have gone wrong on it."""
    context = browser.new_context(viewport={"width": width, "height": height})
    try:
        view = Screen(context, api.base_url)
        yield view
        assert view.faults == []
    finally:
        context.close()
