"""The pages of one laptop, furnished: the map, addresses, hardware, landmark times, and what happened."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import insert

from collector.judgement.physics import KM_PER_MS
from collector.store import schema
from tests.collector.scenery import HOSTILE_LAPTOPS_TEXT, furnish
from tests.collector.web.test_pages import words
from tests.collector.worlds import World, build_fleet


@pytest.fixture
def furnished(world: World) -> World:
    world.laptops = build_fleet(world)
    furnish(world, laptops=10)
    return world


def test_the_map_shows_claim_machine_and_hand_and_says_so_in_words(furnished: World, browse: Any) -> None:
    text = browse("viewer").get(f"/devices/{furnished.laptops['farm'].device_id}").text
    map_ = text[text.index('<figure class="card map">') : text.index("</figure>", text.index('class="card map"'))]
    assert 'href="/static/world-atlantic.svg#US"' in map_ and 'class="map-ring"' in map_
    said = words(type("Part", (), {"text": map_}))
    assert "It should be in United States." in said
    assert "It should be at Richmond, Virginia, US, within 80 km." in said
    assert "a line of homes or offices in Virginia, US, known to about 150 km; 167 km from where it should be." in said
    assert "The hand is outside of this line: at least 4,500 km from the machine." in said
    assert 'role="img" aria-labelledby="map-title" aria-describedby="map-legend"' in map_


def test_addresses_hardware_and_landmarks_are_shown_with_their_times(furnished: World, browse: Any) -> None:
    page = words(browse("viewer").get(f"/devices/{furnished.laptops['farm'].device_id}"))
    for said in (
        "192.0.2.44 Virginia, US Example Cable AS64500 homes and offices 20 days ago just now",
        "geo-whois-asn : US , dbip : NL Example Hosting AS64501 data centre",
        "USB device PiKVM Composite KVM Device 1d6b:0104, serial CAFEBABE 1-2 9 days ago attached",
        "Monitor DELL U2720Q",
        f"Ashburn, Virginia aws-us-east-1 3.1 ms 3.6 ms {3.1 * KM_PER_MS:.0f} km 96 0",
        "IP Geolocation by DB-IP",
        "Score, last 30 days: 0 to 97, now 97",
    ):
        assert said in page, said
    assert page.index("us-east-1") < page.index("eu-west-1") < page.index("ap-northeast-2")
    assert page.index("ap-northeast-2") < page.index("1 farther place Place Shortest") < page.index("ap-south-1")


def test_the_person_of_the_roster_is_named(furnished: World, browse: Any) -> None:
    farm = f"/devices/{furnished.laptops['farm'].device_id}"
    browser = browse("analyst")
    assert "Person not in the roster" in words(browser.get(farm))
    furnished.roster("ana <b>,PF3ABCDE,US,,,")
    assert "ana &lt;b&gt;" in browser.get(farm).text
    assert "ana" not in words(browse("viewer").get(farm)).split(), "a viewer reads no roster"


def test_laptops_are_found_by_who_has_them_by_those_who_may_know(furnished: World, browse: Any) -> None:
    furnished.roster("Ana Example,PF3ABCDE,US,,,", "Bob 100%,PF3ABCDF,US,,,")
    analyst, viewer = browse("analyst"), browse("viewer")
    assert 'for="person"' in analyst.get("/devices").text and 'for="person"' not in viewer.get("/devices").text
    hers = words(analyst.get("/devices?person=ana+ex"))
    assert "1 laptop of" in hers and "nyc-0042" in hers and "Remove the filter person “ana ex”" in hers
    assert "0 laptops of" in words(analyst.get("/devices?person=%25ana")), "a wildcard is a sign like others"
    assert analyst.get("/devices.csv?person=ANA").text.count("\n") == 2
    assert [viewer.get(f"/devices{kind}?person=ana").status_code for kind in ("", ".csv")] == [403, 403]


def test_the_timeline_goes_back_page_by_page_and_by_kind(
    furnished: World, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.web.console_device.PAGE", 5)
    start = f"/devices/{furnished.laptops['farm'].device_id}/timeline"
    browser, address, pages, seen = browse("viewer"), start, 0, []
    while address:
        text = browser.get(address).text
        seen += re.findall(r'<div class="told">(.*?)</div>', text, re.DOTALL)
        older = re.search(r'rel="next" href="([^"]+)"', text)
        address, pages = (older[1].replace("&amp;", "&") if older else ""), pages + 1
    assert pages > 2 and len(seen) == len(set(seen)) > 10
    attached = browser.get(f"{start}?kind=attachment").text
    kinds = set(re.findall(r'<div class="kind">([^<]+)</div>', attached))
    assert kinds == {"Hardware"} and 'value="attachment" checked' in attached


def test_nights_do_not_hide_what_happened_on_the_page_of_a_laptop(world: World, browse: Any) -> None:
    laptop = world.farm_laptop()
    night = {"device_id": laptop.device_id, "from_ms": world.now_ms - 60_000_000, "to_ms": world.now_ms, "awake_s": 0.0}
    world.write(lambda connection: connection.execute(insert(schema.silences), night))
    start, browser = f"/devices/{laptop.device_id}", browse("viewer")
    assert "of silence" not in words(browser.get(start))
    assert "Heard again after 16.7 h of silence" in words(browser.get(f"{start}/timeline"))


def test_nothing_of_a_kind_is_said_so(world: World, browse: Any) -> None:
    laptop = world.enrol()
    page = words(browse("viewer").get(f"/devices/{laptop.device_id}/timeline?kind=alert"))
    assert "Nothing of this kind is known to have happened" in page


def test_what_hardware_and_networks_call_themselves_is_only_text(furnished: World, browse: Any) -> None:
    hostile = f"/devices/{furnished.laptops['hostile'].device_id}"
    browser = browse("viewer")
    for address in (hostile, f"{hostile}/timeline", "/", "/devices", "/devices?sort=name"):
        text = browser.get(address).text
        assert "<script>" not in text and "<img src=x" not in text and "\u202e" not in text and "\x1b" not in text
        assert "W" * 1500 not in re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL), address
    assert HOSTILE_LAPTOPS_TEXT[:4] in words(browser.get(hostile)).replace("&lt;", "<")
