"""Where macOS takes a Mac to be, as far as the person at its screen allows it: the calls, the helper, and the agent."""

from __future__ import annotations

import _socket
import ctypes
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Fix, HostBrokenError, HostDeniedError, HostError, HostTimeoutError, WifiCell
from agent.host.commands import start_mac_helper
from agent.host.macos_place import frequency_mhz, parse_networks, parse_place
from agent.session import place as helper
from agent.session.objc import Runtime
from agent.session.peers import PLACE_IN_HOME, PeerError
from agent.session.place import Place, wanted_by
from agent.session.whereabouts import Whereabouts
from tests.agent.session.screens import USER, Mac, built

FAKE_MACOS = r"""
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* objc/objc.h, CoreLocation/CLLocation.h and CLLocationManager.h, CoreWLAN/CWInterface.h, CWNetwork.h, CWChannel.h */
typedef struct object { const char *kind; const void *held; long number; } *id;
typedef const char *SEL;
typedef struct { double latitude, longitude; } CLLocationCoordinate2D;

static long setting(const char *name, long usual) {
    const char *said = getenv(name);
    return said ? atol(said) : usual;
}

static int turns = 0, asked = 0, updating = 0, pools = 0;
const void *kCFRunLoopDefaultMode = "kCFRunLoopDefaultMode";
int32_t CFRunLoopRunInMode(const void *mode, double seconds, bool once) {
    if (mode != kCFRunLoopDefaultMode || seconds < 0 || once) abort();
    turns++;
    return 1;
}
int times_asked(void) { return asked; }
int still_updating(void) { return updating; }
int open_pools(void) { return pools; }
void *objc_autoreleasePoolPush(void) { pools++; return &pools; }
void objc_autoreleasePoolPop(void *pool) { if (pool != &pools) abort(); pools--; }
SEL sel_registerName(const char *name) { return strdup(name); }

static struct object classes[] = {{"+CLLocationManager"}, {"+CWWiFiClient"}};
id objc_getClass(const char *name) {
    for (int at = 0; at < 2; at++) if (!strcmp(classes[at].kind + 1, name)) return &classes[at];
    return NULL;
}
static id text(const char *said) {
    id made = calloc(1, sizeof(struct object));
    made->kind = "NSString", made->held = said;
    return said ? made : NULL;
}

static struct object manager = {"CLLocationManager"}, where = {"CLLocation"}, when = {"NSDate"};
static id alloc(id self, SEL sel) { return &manager; }
static id same(id self, SEL sel) { return self; }
static bool enabled(id self, SEL sel) { return setting("LOCATION_ON", 1); }
static int32_t status(id self, SEL sel) {
    if (asked && setting("LOCATION_ANSWER", 0)) return setting("LOCATION_ANSWER", 0);
    return turns ? setting("LOCATION_STATUS", 3) : 0;
}
static void request(id self, SEL sel) { asked++; }
static void accuracy(id self, SEL sel, double metres) { if (metres != 3000.0) abort(); }
static void start(id self, SEL sel) { updating = turns + 1; }
static void stop(id self, SEL sel) { updating = 0; }
static id found(id self, SEL sel) {
    return updating && turns > updating + 1 && setting("LOCATION_FOUND", 1) ? &where : NULL;
}
static CLLocationCoordinate2D coordinate(id self, SEL sel) {
    CLLocationCoordinate2D paris = {48.8566, 2.3522};
    return paris;
}
static double metres(id self, SEL sel) { return setting("LOCATION_METRES", 65); }
static id stamp(id self, SEL sel) { return &when; }
static double age(id self, SEL sel) { return -setting("LOCATION_AGE", 3); }

static struct object client = {"CWWiFiClient"}, wifi = {"CWInterface"}, cells = {"NSSet"}, list = {"NSArray"};
static struct object heard[] = {
    {"CWNetwork", "3c:37:86:6f:1a:2b", 0}, {"CWNetwork", "e8:df:70:1:2:3", 1}, {"CWNetwork", "d8:ec:5e:44:55:66", 2}};
static struct object channels[] = {{"CWChannel", "\1", 6}, {"CWChannel", "\2", 36}, {"CWChannel", "\3", 5}};
static id shared(id self, SEL sel) { return &client; }
static id interface(id self, SEL sel) { return &wifi; }
static id own(id self, SEL sel) { return setting("WIFI_TOLD", 1) ? text("3c:37:86:6f:1a:2b") : NULL; }
static id cached(id self, SEL sel) { return setting("WIFI_HEARD", 3) ? &cells : NULL; }
static id all(id self, SEL sel) { return &list; }
static unsigned long count(id self, SEL sel) { return setting("WIFI_HEARD", 3); }
static id at(id self, SEL sel, unsigned long index) { return &heard[index]; }
static id address(id self, SEL sel) { return setting("WIFI_TOLD", 1) ? text(self->held) : NULL; }
static id country(id self, SEL sel) {
    return setting("WIFI_TOLD", 1) && self->number < 2 ? text(self->number ? "X3" : "FR") : NULL;
}
static long signal_dbm(id self, SEL sel) { return -45 - 10 * self->number; }
static id channel(id self, SEL sel) { return &channels[self->number]; }
static long channel_number(id self, SEL sel) { return self->number; }
static long channel_band(id self, SEL sel) { return *(const char *)self->held; }
static const char *utf8(id self, SEL sel) { return self->held; }

static struct { const char *kind, *sel; void *method; } methods[] = {
    {"+CLLocationManager", "alloc", alloc}, {"CLLocationManager", "init", same},
    {"+CLLocationManager", "locationServicesEnabled", enabled}, {"CLLocationManager", "authorizationStatus", status},
    {"CLLocationManager", "requestAlwaysAuthorization", request},
    {"CLLocationManager", "setDesiredAccuracy:", accuracy}, {"CLLocationManager", "startUpdatingLocation", start},
    {"CLLocationManager", "stopUpdatingLocation", stop}, {"CLLocationManager", "location", found},
    {"CLLocation", "coordinate", coordinate}, {"CLLocation", "horizontalAccuracy", metres},
    {"CLLocation", "timestamp", stamp}, {"NSDate", "timeIntervalSinceNow", age},
    {"+CWWiFiClient", "sharedWiFiClient", shared}, {"CWWiFiClient", "interface", interface},
    {"CWInterface", "bssid", own}, {"CWInterface", "cachedScanResults", cached}, {"NSSet", "allObjects", all},
    {"NSArray", "count", count}, {"NSArray", "objectAtIndex:", at}, {"CWNetwork", "bssid", address},
    {"CWNetwork", "countryCode", country}, {"CWNetwork", "rssiValue", signal_dbm},
    {"CWNetwork", "wlanChannel", channel}, {"CWChannel", "channelNumber", channel_number},
    {"CWChannel", "channelBand", channel_band}, {"NSString", "UTF8String", utf8},
};
void *method_of(id self, SEL sel) {
    for (unsigned at = 0; at < sizeof methods / sizeof *methods; at++)
        if (!strcmp(methods[at].kind, self->kind) && !strcmp(methods[at].sel, sel)) return methods[at].method;
    fprintf(stderr, "%s: unrecognized selector %s\n", self->kind, sel);
    abort();
}

/* As the real one: it looks the method up and goes on there, with every argument in its place */
#if defined(__x86_64__)
__asm__(".globl objc_msgSend\nobjc_msgSend:\n push %rdi\n push %rsi\n push %rdx\n push %rcx\n sub $24, %rsp\n"
        " movsd %xmm0, (%rsp)\n movsd %xmm1, 8(%rsp)\n call method_of@PLT\n movsd 8(%rsp), %xmm1\n"
        " movsd (%rsp), %xmm0\n add $24, %rsp\n pop %rcx\n pop %rdx\n pop %rsi\n pop %rdi\n jmp *%rax\n");
#else
__asm__(".globl objc_msgSend\nobjc_msgSend:\n stp x29, x30, [sp, #-64]!\n stp x0, x1, [sp, #16]\n"
        " stp x2, x3, [sp, #32]\n stp d0, d1, [sp, #48]\n bl method_of\n mov x16, x0\n ldp x0, x1, [sp, #16]\n"
        " ldp x2, x3, [sp, #32]\n ldp d0, d1, [sp, #48]\n ldp x29, x30, [sp], #64\n br x16\n");
#endif
"""

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="how a message is sent is written for two processors"
)


@pytest.fixture(scope="module")
def compiled() -> Iterator[str]:
    with built(FAKE_MACOS) as made:
        yield made


@pytest.fixture
def library(compiled: str, request: pytest.FixtureRequest) -> str:
    """Objects and calls of macOS, anew for each test: they remember what was asked of them."""
    return shutil.copy(compiled, f"{compiled}.{hash(request.node.name):x}")


def whereabouts(library: str) -> Whereabouts:
    return Whereabouts(library, library, library, library)


@pytest.fixture
def place(library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The helper on these calls, which waits for nobody."""
    monkeypatch.setattr(helper, "FIND_S", 0.3)
    monkeypatch.setattr(helper, "DECIDE_S", 0.0)
    monkeypatch.setattr("agent.session.whereabouts.LOOK_S", 0.01)
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    yield Place(listener, {0}, whereabouts(library), str(tmp_path / "asked"))
    listener.close()


def said(place: Place, ask: str = "place") -> dict[str, object]:
    found: dict[str, object] = json.loads(place.answer_to(json.dumps({"ask": ask}).encode()))
    return found


def test_the_calls_are_made_as_declared(library: str) -> None:
    about = whereabouts(library)
    assert (about.is_on(), about.status()) == (True, 0)
    about.turn(0.0)
    assert about.status() == 3
    assert about.place(5.0) == (48.8566, 2.3522, 65.0)
    assert about.networks() == [
        ("3c:37:86:6f:1a:2b", 6, 1, -45, "FR", True),
        ("e8:df:70:1:2:3", 36, 2, -55, "X3", False),
        ("d8:ec:5e:44:55:66", 5, 3, -65, "", False),
    ]
    calls = ctypes.CDLL(library)
    assert (calls.still_updating(), calls.open_pools(), calls.times_asked()) == (0, 0, 0)


def test_a_macos_without_such_a_class_is_said(library: str) -> None:
    with pytest.raises(OSError, match="no CLVisitor"):
        Runtime(library).kind("CLVisitor")
    assert Runtime(library).send(None, "location") is None, "nobody answers nothing"


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({}, {"place": [48.8566, 2.3522, 65.0]}),
        ({"LOCATION_ON": "0"}, {"denied": "the location service is switched off"}),
        ({"LOCATION_STATUS": "2"}, {"denied": "the person at the screen does not allow it"}),
        ({"LOCATION_STATUS": "1"}, {"denied": "macOS lets nobody in this session know the location"}),
        ({"LOCATION_FOUND": "0"}, {"timeout": "macOS does not find this Mac"}),
        ({"LOCATION_AGE": "7200"}, {"timeout": "macOS does not find this Mac"}),
        ({"LOCATION_METRES": "-1"}, {"timeout": "macOS does not find this Mac"}),
    ],
    ids=["allowed", "switched off", "refused", "forbidden", "not found", "of another time", "no place at all"],
)
def test_what_the_helper_says_of_the_place(
    place: Place, changes: dict[str, str], answer: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    assert said(place) == answer


@pytest.mark.parametrize(
    ("changes", "cells"),
    [({}, 3), ({"WIFI_HEARD": "0"}, 0), ({"WIFI_TOLD": "0"}, None), ({"LOCATION_STATUS": "2"}, None)],
    ids=["allowed", "nothing is heard", "addresses are kept", "refused"],
)
def test_networks_that_are_kept_from_it_are_not_none(
    place: Place, changes: dict[str, str], cells: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    answer = said(place, "networks")
    if cells is None:
        assert list(answer) == ["denied"]
    else:
        assert len(list(parse_networks(json.dumps(answer).encode()))) == cells


def test_a_macos_without_its_wifi_library_is_heard(place: Place) -> None:
    place._about._wlan = "/nowhere/CoreWLAN"
    assert "CoreWLAN" in str(said(place, "networks")["absent"])
    assert list(said(place)) == ["place"], "and it goes on serving"


def test_the_person_is_asked_once_a_day_and_their_answer_stands(
    place: Place, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCATION_STATUS", "0")
    calls = ctypes.CDLL(library)
    undecided = {"denied": "the person at the screen has not answered the question of macOS yet"}
    assert said(place) == said(place) == said(place, "networks") == undecided
    assert calls.times_asked() == 1
    yesterday = time.time() - 90_000
    os.utime(tmp_path / "asked", (yesterday, yesterday))
    assert said(place) == undecided
    assert calls.times_asked() == 2
    monkeypatch.setenv("LOCATION_ANSWER", "3")
    assert said(place) == {"place": [48.8566, 2.3522, 65.0]}
    monkeypatch.setenv("LOCATION_ANSWER", "2")
    assert list(said(place)) == ["denied"]
    assert calls.times_asked() == 2


def test_where_it_cannot_be_noted_that_somebody_was_asked_nobody_is(
    place: Place, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCATION_STATUS", "0")
    place._asked = "/nowhere/asked"
    assert list(said(place)) == ["denied"]
    assert ctypes.CDLL(library).times_asked() == 0


@pytest.mark.parametrize("question", [b"", b"[]", b"{}", b'{"ask": "keys"}', b'{"ask": ["place"]}', b"[" * 256])
def test_another_question_has_no_answer(question: bytes) -> None:
    with pytest.raises(PeerError):
        wanted_by(question)


# What the agent makes of it


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b'{"denied": "the person at the screen does not allow it"}', HostDeniedError),
        (b'{"timeout": "macOS does not find this Mac"}', HostTimeoutError),
        (b'{"absent": "this macOS has no CWWiFiClient"}', HostError),
        (b"{}", HostBrokenError),
        (b'{"place": [1, 2]}', HostBrokenError),
        (b'{"place": [1e999, 2, 3]}', HostBrokenError),
        (b"\xff", HostBrokenError),
    ],
)
def test_an_answer_that_is_no_place(answer: bytes, problem: type[HostError]) -> None:
    with pytest.raises(problem) as caught:
        parse_place(answer)
    assert type(caught.value) is problem


@given(
    st.binary(max_size=300)
    | st.recursive(st.none() | st.text() | st.integers() | st.floats(), st.lists).map(
        lambda told: json.dumps({"networks": told}).encode()
    )
)
def test_whatever_somebody_makes_the_helper_say_is_networks_or_refused(answer: bytes) -> None:
    try:
        cells = list(parse_networks(answer))
    except HostError:
        return
    assert all(len(cell.address) == 6 for cell in cells)


@pytest.mark.parametrize(
    ("channel", "band", "mhz"),
    [(1, 1, 2412), (14, 1, 2484), (36, 2, 5180), (5, 3, 5975), (0, 2, 0), (6, 0, 0), (300, 2, 0)],
)
def test_the_frequency_of_a_channel(channel: int, band: int, mhz: int) -> None:
    assert frequency_mhz(channel, band) == mhz


HELPER = """
import sys
sys.path.insert(0, {root!r})
import os
from agent.session.peers import listen
from agent.session.place import Place
from agent.session.whereabouts import Whereabouts
about = Whereabouts(*[{library!r}] * 4)
os.setgid({group}), os.setuid({user})
path = {path!r}
Place(listen(path), {{0, {user}}}, about, os.path.dirname(path) + "/asked").run()
"""


@pytest.fixture
def a_mac(library: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    with tempfile.TemporaryDirectory(prefix="farhand-mac-") as folder:
        Path(folder).chmod(0o755)
        made = Mac(Path(folder), HELPER, PLACE_IN_HOME, monkeypatch, library=library)
        yield made
        made.close()


def test_the_agent_is_told_by_a_helper_of_whoever_sits_at_the_screen(a_mac: Mac) -> None:
    assert a_mac.host.location() == Fix(lat=48.8566, lon=2.3522, accuracy_m=65.0)
    assert a_mac.host.wifi_cells("en0") == (
        WifiCell(address=bytes.fromhex("3c37866f1a2b"), frequency_mhz=2437, signal_dbm=-45, country="FR", joined=True),
        WifiCell(address=bytes.fromhex("e8df70010203"), frequency_mhz=5180, signal_dbm=-55),
        WifiCell(address=bytes.fromhex("d8ec5e445566"), frequency_mhz=5975, signal_dbm=-65),
    )
    assert a_mac.asked == [start_mac_helper(USER, "place")], "one start serves both"
    assert a_mac.socket.stat().st_uid == USER
    print(f"{a_mac.resident_mb():.1f} MB")
    assert a_mac.resident_mb() <= 12.0


def test_a_person_who_does_not_allow_it_is_heard(a_mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCATION_STATUS", "2")
    with pytest.raises(HostDeniedError, match="does not allow it"):
        a_mac.host.location()
    with pytest.raises(HostDeniedError, match="does not allow it"):
        a_mac.host.wifi_cells("en0")


def test_nobody_at_the_screen_is_asked(a_mac: Mac) -> None:
    (a_mac.root / "dev/console").unlink()
    with pytest.raises(HostError, match="No such file"):
        a_mac.host.location()
    assert a_mac.asked == []


def test_a_helper_that_nobody_asks_ends(a_mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        a_mac,
        "_code",
        a_mac._code.replace("about = ", "from agent.session import place\nplace.STAYS_S = 0.5\nabout = "),
    )
    a_mac.host.location()
    assert a_mac.helpers[0].wait(timeout=5) == 0
