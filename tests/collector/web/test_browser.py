"""The console in a real browser, from the sign-in link to the closed alert, with laptops that mean harm."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from collector import demo, quickstart
from collector.simulator import scenario
from collector.store.users import Role
from collector.web import console_entries
from tests.collector.scenery import furnish
from tests.collector.worlds import HTML, World, build_fleet

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
_AXE = importlib.util.find_spec("axe_playwright_python")
AXE = Path(_AXE.origin).with_name("axe.min.js") if _AXE and _AXE.origin else Path("axe-core is not installed")
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
"""Folder for the pictures of the README; without it they go to a temporary one."""


@contextmanager
def serving(folder: Path) -> Iterator[World]:
    """A collector that answers on a free port of this machine, with a fleet that gives every page something to show."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        made = World(folder, url)
        server = uvicorn.Server(uvicorn.Config(made.app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        with httpx2.Client(base_url=url, trust_env=False) as client:
            made.client = client
            made.laptops = build_fleet(made)
            furnish(made)
            yield made
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with serving(tmp_path_factory.mktemp("console")) as made:
        yield made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A browser tab and everything that must not happen in it."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.url = url
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
        self.follow(f"/sign-in?link={world.link(world.user(name, role))}")

    def follow(self, link: str) -> None:
        """Sign in with a link."""
        self.page.goto(link)
        self.page.get_by_role("button", name="Sign in with this link").click()
        self.page.wait_for_url(f"{self.url}/")

    def is_too_wide(self) -> bool:
        """True when something sticks out of the window sideways."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth")
        return width > self.page.viewport_size["width"]


@pytest.fixture
def tab(chromium: Any, world: World) -> Iterator[Watched]:
    """A tab in which nothing wrong may happen."""
    watched = Watched(chromium, world.config.public_urls[0])
    yield watched
    watched.context.close()
    assert watched.wrong == []


def test_an_analyst_finds_a_device_reads_why_takes_the_alert_and_closes_it(tab: Watched, world: World) -> None:
    tab.sign_in(world, "ada", "analyst")
    page = tab.page
    page.get_by_role("link", name="Laptops", exact=True).click()
    page.get_by_label("Host name, serial number or device id").fill("nyc-0042")
    page.get_by_role("button", name="Show").click()
    assert "1 laptop of" in page.get_by_role("status").inner_text()
    page.get_by_role("link", name="nyc-0042", exact=True).click()
    assert page.get_by_role("heading", level=1).inner_text() == "nyc-0042"
    assert page.get_by_role("img", name="The three places on a map").is_visible()
    page.get_by_text("Why: rule session-round-trip-long").click()
    assert page.get_by_text("session.far_min_rtt_ms = 202 is above 120").is_visible()
    page.get_by_role("link", name="All of it").click()
    assert page.get_by_role("heading", level=1).inner_text() == "What happened"
    page.goto(f"/alerts/{world.alert_of(world.laptops['farm']).alert_id}")
    page.get_by_role("button", name="Acknowledge").click()
    assert "ada looks into it" in page.locator("main").inner_text()
    page.get_by_label("Who looks into it").select_option("")
    page.get_by_role("button", name="Assign", exact=True).click()
    assert "Nobody looks into it" in page.locator("main").inner_text()
    page.get_by_role("button", name="Assign to me").click()
    page.get_by_label("Comment").fill("Called the person, no answer.")
    page.get_by_role("button", name="Add the comment").click()
    page.get_by_label("Confirmed: ").check()
    page.get_by_label("Reason").select_option("one of many machines in one place")
    page.get_by_label("Note").fill("The badge shows another address.")
    page.get_by_role("button", name="Close the alert").click()
    assert page.get_by_role("status").inner_text() == "The alert is closed."
    assert "closed as confirmed" in page.locator("main").inner_text()
    assert "One of many machines in one place. The badge" in page.locator("main").inner_text()
    page.get_by_role("link", name="Alerts", exact=True).first.click()
    assert page.locator("li.row", has_text="nyc-0042").count() == 0
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")


def test_an_admin_makes_a_token_and_takes_it_back(tab: Watched, world: World) -> None:
    tab.sign_in(world, "root", "admin")
    page = tab.page
    page.get_by_role("link", name="Enrolment").click()
    page.get_by_label("Note").fill("Berlin office")
    page.get_by_label("How many laptops may use it").fill("25")
    page.get_by_role("button", name="Make the token").click()
    field = page.get_by_label("Token", exact=True)
    assert field.input_value().startswith("fhe_")
    field.focus()
    page.keyboard.press("Control+a")
    assert page.evaluate("document.activeElement.selectionEnd") == len(field.input_value())
    row = page.get_by_role("row", name="Berlin office")
    assert "0 of 25" in row.inner_text()
    row.get_by_role("button", name="Revoke Berlin office").click()
    assert "revoked" in page.get_by_role("row", name="Berlin office").inner_text()


def test_alerts_are_ticked_and_acknowledged_together(tab: Watched, world: World) -> None:
    tab.sign_in(world, "bea", "analyst")
    page = tab.page
    page.get_by_role("link", name="Alerts", exact=True).click()
    boxes = page.get_by_role("checkbox")
    before = boxes.count()
    boxes.nth(before - 1).check()
    page.get_by_role("button", name="Acknowledge what is ticked").click()
    assert page.get_by_role("status").inner_text() == "1 alert is acknowledged; you look into them."
    assert page.get_by_role("checkbox").count() == before - 1


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
    tab = Watched(chromium, world.config.public_urls[0], viewport={"width": width, "height": 900})
    tab.sign_in(world, f"eve-{width}", "admin")
    hostile = world.laptops["hostile"].device_id
    page = tab.page
    alert = world.alert_of(world.laptops["hostile"]).alert_id
    for path in ("/", "/alerts?status=all", "/devices", f"/alerts/{alert}", f"/devices/{hostile}/timeline"):
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
    assert page.locator("main img, main script, main svg:not(.drawn)").count() == 0
    assert "\u202e" not in page.content()
    tab.context.close()
    assert tab.wrong == []


def test_a_page_may_run_nothing_even_if_something_slipped_through(chromium: Any, world: World) -> None:
    tab = Watched(chromium, world.config.public_urls[0])
    tab.sign_in(world, "sam", "viewer")
    tab.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">')")
    tab.page.wait_for_timeout(200)
    assert tab.page.title() == "Overview · Farhand"
    assert any("Content Security Policy" in said for said in tab.wrong)
    tab.context.close()


def every_page(world: World) -> dict[str, str]:
    farm = world.laptops["farm"].device_id
    paths = {
        "overview": "/",
        "alerts": "/alerts?status=all",
        "alert": f"/alerts/{world.alert_of(world.laptops['farm']).alert_id}",
        "devices": "/devices",
        "filtered": "/devices?band=high&coverage=low&heard=heard&sort=name",
        "nothing": "/devices?q=nobody+is+called+that",
        "device": f"/devices/{farm}",
        "quiet": f"/devices/{world.laptops['quiet'].device_id}",
        "hostile": f"/devices/{world.laptops['hostile'].device_id}",
        "timeline": f"/devices/{farm}/timeline",
        "roster": "/roster",
        "enrolment": "/enrolment",
        "access": "/access",
        "missing": "/nothing",
    }
    listed = {entry.path for entry in console_entries() if entry.method == "GET" and entry.needs != "nothing"}
    assert {path for path in listed if "{" not in path} - {"/devices.csv"} <= {
        path.partition("?")[0] for path in paths.values()
    }
    return paths


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_every_page_fits_and_can_be_read(scheme: Any, width: int, chromium: Any, world: World) -> None:
    tab = Watched(chromium, world.config.public_urls[0], viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab.page.goto("/sign-in")
    assert (tab.is_too_wide(), faint(tab.page), barriers(tab.page)) == (False, [], [])
    tab.sign_in(world, f"{scheme}-{width}", "admin")
    wrong = []
    for name, path in every_page(world).items():
        tab.page.goto(path)
        found = faint(tab.page) + overlapping(tab.page)
        found += barriers(tab.page) if scheme == "light" else []  # the contrast of dark ones is looked at above
        wrong += [f"{name}: {each}" for each in found + ["too wide"] * tab.is_too_wide()]
    tab.context.close()
    assert wrong == []
    assert [said for said in tab.wrong if "404" not in said] == []


@contextmanager
def demonstrating(folder: Path) -> Iterator[tuple[str, str]]:
    """What `make demo` tells, without this machine: the collector's address and a sign-in link."""
    told = scenario.load()
    site = demo.prepare(folder / "demo", quickstart.free_port(), told)
    _, link = site.prepare()
    with ThreadPoolExecutor(1) as beside:  # this thread runs the browser's loop
        beside.submit(demo.play, site, told).result()
    command = [sys.executable, "-m", "collector", "--config", str(site.collector_yaml), "serve"]
    with subprocess.Popen(command) as process:
        try:
            site.wait(process)
            yield site.url, link
        finally:
            process.terminate()


@pytest.mark.timeout(300)
def test_the_pictures_of_the_readme(chromium: Any, tmp_path: Path) -> None:
    """`make screenshots` keeps them: what `make demo` shows of a laptop that is driven through a relay."""
    folder = Path(os.environ.get(SHOTS) or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    with demonstrating(tmp_path) as (url, link):
        tab = Watched(chromium, url, viewport={"width": 1280, "height": 940}, color_scheme="light")
        tab.follow(link)
        _keep(tab, folder / "overview.png", "Fleet health")
        tab.page.get_by_role("link", name="Laptops", exact=True).click()
        tab.page.get_by_role("link", name="mia-0033", exact=True).click()
        tab.page.set_viewport_size({"width": 1280, "height": 1180})
        _keep(tab, folder / "device.png", "Where the hand is")
        tab.page.get_by_role("region", name="Alerts about this laptop").get_by_role("link").first.click()
        tab.page.set_viewport_size({"width": 1280, "height": 940})
        _keep(tab, folder / "alert.png", "What else could explain it")
        tab.context.close()
    assert tab.wrong == []


def _keep(tab: Watched, picture: Path, said: str) -> None:
    """A picture of what is seen, with these words in it."""
    assert tab.page.get_by_text(said).first.is_visible()
    tab.page.evaluate("window.scrollTo(0, 0)")
    tab.page.screenshot(path=picture)
    assert picture.stat().st_size < 340_000, "all three are to stay below 1 MB"


def test_the_focus_goes_through_every_page_and_out_again(tab: Watched, world: World) -> None:
    """With the tabulator from the first link to the last field, never stuck, always to be seen, in the page's order."""
    tab.sign_in(world, "tabby", "admin")
    for path in ("/", "/devices", "/enrolment", "/access"):
        tab.page.goto(path)
        expected = tab.page.evaluate(FOCUSABLE)
        seen = []
        for _ in range(expected + 1):
            tab.page.keyboard.press("Tab")
            place = tab.page.evaluate(FOCUSED)
            if place is None:
                break
            assert place["seen"], (path, place)
            seen.append(place["at"])
        assert seen == sorted(set(seen)) and len(seen) >= expected, path


FOCUSABLE = """() => {
    const all = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')];
    const groups = new Set();
    return all.filter(each => each.checkVisibility()).filter(each => {
        if (each.type !== 'radio') return true;
        if (groups.has(each.name)) return false;
        groups.add(each.name);
        return true;
    }).length;
}"""
FOCUSED = """() => {
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    const style = getComputedStyle(at);
    const visible = style.outlineStyle === 'solid' && parseFloat(style.outlineWidth) >= 2;
    return {at: [...document.querySelectorAll('*')].indexOf(at), seen: visible, what: at.outerHTML.slice(0, 80)};
}"""


def barriers(page: Any) -> list[str]:
    """What axe-core finds wrong by WCAG 2.2 A and AA and by good practice."""
    if not AXE.exists():
        pytest.skip("axe-playwright-python is not installed")
    page.evaluate(AXE.read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", tags)
    return [
        f"{each['id']}: {node['html'][:120]}: {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def overlapping(page: Any) -> list[str]:
    """Pairs of texts that lie on each other."""
    found: list[str] = page.evaluate(
        """() => {
        const boxes = [];
        const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        for (let node = walk.nextNode(); node; node = walk.nextNode()) {
            const text = node.textContent.trim();
            const holder = node.parentElement;
            if (!text || !holder.checkVisibility() || holder.closest('.unseen, .skip, svg, select, option')) continue;
            const range = document.createRange();
            range.selectNodeContents(node);
            const clip = holder.closest('.sheet, .wide-table, pre');
            const edge = clip ? clip.getBoundingClientRect() : null;
            for (const box of range.getClientRects()) {
                if (box.width < 2 || (edge && (box.left > edge.right || box.bottom > edge.bottom))) continue;
                boxes.push({text: text.slice(0, 40), box});
            }
        }
        const bad = [];
        for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
            const [a, b] = [boxes[i].box, boxes[j].box];
            const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (wide > 3 && high > 0.4 * Math.min(a.height, b.height)) bad.push(`${boxes[i].text} | ${boxes[j].text}`);
        }
        return bad.slice(0, 10);
    }"""
    )
    return found


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
