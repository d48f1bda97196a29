"""The console in a real browser, from the sign-in link to the closed alert, with laptops that mean harm."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from collector.store.users import Role
from tests.collector.worlds import HTML, World, build_fleet

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed"),
]
SHOTS = "FARHAND_SCREENSHOTS"
"""Folder to keep screenshots in; without it they go to a temporary one."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A collector that answers on a free port of this machine, with three laptops."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        made = World(tmp_path_factory.mktemp("console"), url)
        server = uvicorn.Server(uvicorn.Config(made.app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        with httpx2.Client(base_url=url, trust_env=False) as client:
            made.client = client
            made.laptops = build_fleet(made)
            yield made
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A browser tab and everything that must not happen in it."""

    def __init__(self, browser: Any, world: World, **options: Any) -> None:
        self.url = world.config.public_urls[0]
        self.context = browser.new_context(base_url=self.url, **options)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda said: self.wrong.append(f"console: {said.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._request)

    def _dialog(self, dialog: Any) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:")):
            self.wrong.append(f"request: {request.url}")

    def sign_in(self, world: World, name: str, role: Role) -> None:
        self.page.goto(f"/sign-in?link={world.link(world.user(name, role))}")
        self.page.get_by_role("button", name="Sign in with this link").click()
        self.page.wait_for_url("**/alerts")

    def is_too_wide(self) -> bool:
        """True when something sticks out of the window sideways."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth")
        return width > self.page.viewport_size["width"]


@pytest.fixture
def tab(chromium: Any, world: World) -> Iterator[Watched]:
    """A tab in which nothing wrong may happen."""
    watched = Watched(chromium, world)
    yield watched
    watched.context.close()
    assert watched.wrong == []


def test_an_analyst_signs_in_reads_why_acknowledges_and_closes(tab: Watched, world: World) -> None:
    tab.sign_in(world, "ada", "analyst")
    page = tab.page
    alert = page.locator("li.row", has_text="nyc-0042")
    assert "critical" in alert.inner_text()
    alert.get_by_role("link").click()
    page.get_by_role("link", name="nyc-0042: why").click()
    assert page.get_by_role("heading", level=1).inner_text() == "nyc-0042"
    page.get_by_text("Why: rule session-round-trip-long").click()
    assert page.get_by_text("session.far_min_rtt_ms = 202 is above 120").is_visible()
    page.go_back()
    page.get_by_role("button", name="Acknowledge").click()
    assert "ada looks into it" in page.locator("main").inner_text()
    page.get_by_label("Comment").fill("Called the person, no answer.")
    page.get_by_role("button", name="Add the comment").click()
    page.get_by_label("Confirmed").check()
    page.get_by_label("Note").fill("Laptop farm; the badge shows another address.")
    page.get_by_role("button", name="Close the alert").click()
    assert page.get_by_role("status").inner_text() == "The alert is closed."
    assert "closed as confirmed" in page.locator("main").inner_text()
    page.get_by_role("link", name="Alerts", exact=True).first.click()
    assert page.locator("li.row", has_text="nyc-0042").count() == 0
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")


def test_everything_works_with_the_keyboard_alone(tab: Watched, world: World) -> None:
    tab.sign_in(world, "kim", "viewer")
    page = tab.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


@pytest.mark.parametrize("width", [360, 1400])
def test_words_that_mean_harm_are_only_read(width: int, chromium: Any, world: World) -> None:
    tab = Watched(chromium, world, viewport={"width": width, "height": 900})
    tab.sign_in(world, f"eve-{width}", "admin")
    hostile = world.laptops["hostile"].device_id
    page = tab.page
    for path in ("/alerts?status=all", "/devices", f"/alerts/{world.alert_of(world.laptops['hostile']).alert_id}"):
        page.goto(path)
        assert HTML in page.locator("main").inner_text()
        assert not tab.is_too_wide(), path
    page.goto(f"/devices/{hostile}")
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true }")
    said = page.locator("main").inner_text()
    for words in (HTML, "U+001B[31mred", "U+202Egnp.exe", "=HYPERLINK(", "characters)"):
        assert words in said, words
    assert not tab.is_too_wide()
    assert page.locator("main img, main script, main svg").count() == 0
    assert "\u202e" not in page.content()
    tab.context.close()
    assert tab.wrong == []


def test_a_page_may_run_nothing_even_if_something_slipped_through(chromium: Any, world: World) -> None:
    tab = Watched(chromium, world)
    tab.sign_in(world, "sam", "viewer")
    tab.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">')")
    tab.page.wait_for_timeout(200)
    assert tab.page.title() == "Alerts · Farhand"
    assert any("Content Security Policy" in said for said in tab.wrong)
    tab.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_pages_fit_and_can_be_read(scheme: Any, width: int, chromium: Any, world: World, tmp_path: Path) -> None:
    folder = Path(os.environ.get(SHOTS) or tmp_path)
    tab = Watched(chromium, world, viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab.page.goto("/sign-in")
    shots = {"sign-in": "/sign-in"}
    tab.page.screenshot(path=folder / f"sign-in-{scheme}-{width}.png", full_page=True)
    tab.sign_in(world, f"{scheme}-{width}", "admin")
    shots |= {
        "alerts": "/alerts?status=all",
        "devices": "/devices",
        "missing": "/nothing",
        "alert": f"/alerts/{world.alert_of(world.laptops['farm']).alert_id}",
    }
    shots |= {name: f"/devices/{laptop.device_id}" for name, laptop in world.laptops.items()}
    for name, path in shots.items():
        if name == "sign-in":
            continue
        tab.page.goto(path)
        assert not tab.is_too_wide(), name
        assert faint(tab.page) == [], name
        if name == "farm":
            tab.page.locator("details").first.evaluate("element => { element.open = true }")
        tab.page.screenshot(path=folder / f"{name}-{scheme}-{width}.png", full_page=True)
    tab.context.close()
    assert [said for said in tab.wrong if "404" not in said] == []


def faint(page: Any) -> list[str]:
    """Texts whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    found: list[str] = page.evaluate(
        """() => {
        const parse = text => text.match(/[\\d.]+/g).map(Number);
        const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const behind = element => {
            for (let at = element; at; at = at.parentElement) {
                const colour = parse(getComputedStyle(at).backgroundColor);
                if (colour.length === 3 || colour[3] === 1) return colour;
            }
            return [255, 255, 255];
        };
        const faint = [];
        for (const element of document.querySelectorAll('body *')) {
            const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
            if (!own || !element.checkVisibility()) continue;
            const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < 4.5) faint.push(`${ratio.toFixed(2)}: ${element.textContent.trim().slice(0, 60)}`);
        }
        return faint;
    }"""
    )
    return found
