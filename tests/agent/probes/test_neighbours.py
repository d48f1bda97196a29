"""neighbours, on laptops in the networks that people have."""

from __future__ import annotations

import plistlib
import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.probe import Given, Unavailable
from agent.probes import neighbours
from agent.probes.neighbours import lease_packet, server_in
from agent.surroundings import MDNS, MOST_READ, Known, names_in
from agent.wire.report import encode_signal
from agent.wire.settings import HashKey, MakerPrefixes, NeighbourProduct, NeighbourTable, Settings
from agent.wire.signals import Neighbours
from collector.catalogue import hardware
from collector.catalogue import neighbours as shipped
from tests.fakes import FakeHost
from tests.networks import HOME4, ROUTER, at_home, laptop

KEY = HashKey(epoch=3, key="1f" * 32)
TABLE = NeighbourTable(
    makers=(
        MakerPrefixes(device_class="travel_router", prefixes=("9483c4",)),
        MakerPrefixes(device_class="printer", prefixes=("001ba9",)),
        MakerPrefixes(device_class="toaster", prefixes=("3c3786",)),
    ),
    products=(
        NeighbourProduct(id="jetkvm", prefixes=("305253",), names=("jetkvm", "jetkvm-*")),
        NeighbourProduct(id="nanokvm", prefixes=("48da356",)),
        NeighbourProduct(id="pikvm", names=("pikvm",), services=("_pikvm._tcp",)),
    ),
)
PRINTER, PHONE, NAS = bytes.fromhex("001ba9112233"), bytes.fromhex("da112233aabb"), bytes.fromhex("001132445566")
JETKVM, NANOKVM = bytes.fromhex("305253010203"), bytes.fromhex("48da356e0001")
VRRP = bytes.fromhex("00005e000105")


def household(*others: bytes, router: bytes = ROUTER) -> dict[tuple[str, str], bytes]:
    """The table of a laptop at home: its router, and the others that it met."""
    found = {("wlp3s0", HOME4.gateway): router}
    return found | {("wlp3s0", f"192.168.1.{n}"): address for n, address in enumerate(others, 20)}


def home(*others: bytes, router: bytes = ROUTER, **more: Any) -> FakeHost:
    host: FakeHost = at_home(**more)
    host.join(routes=(HOME4,), neighbours=household(*others, router=router))
    return host


def look(host: FakeHost, note: bytes = b"", keys: tuple[HashKey, ...] = (KEY,)) -> tuple[Neighbours, bytes]:
    settings = Settings(version=1, hash_keys=keys, neighbours=TABLE)
    found = neighbours.collect(Given(host=host, catalogue=None, settings=settings, notes={"neighbours": note}))
    assert isinstance(found.signal, Neighbours)
    return found.signal, found.note


def looks(host: FakeHost, times: int = 2, note: bytes = b"") -> Neighbours:
    for _ in range(times):
        signal, note = look(host, note)
        host.pass_time(3600)
    return signal


def answer(*names: str) -> bytes:
    """A message of multicast DNS that answers about these names."""
    message = struct.pack("!HHHHHH", 0, 0x8400, 0, len(names), 0, 0)
    for name in names:
        message += b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
        message += struct.pack("!HHIH", 1, 0x8001, 120, 4) + bytes(4)
    return message


def test_networks_whose_routers_share_an_address_by_a_protocol_are_told_apart_by_the_way_there() -> None:
    host = home(PRINTER, router=VRRP)
    _, note = look(host)
    host.pass_time(3600)
    assert look(host, note)[0].settled
    gateway = "10.20.0.1"
    elsewhere = at_home()
    elsewhere.join(
        routes=(msgspec.structs.replace(HOME4, gateway=gateway),),
        neighbours={("wlp3s0", gateway): VRRP, ("wlp3s0", "10.20.0.9"): NAS},
    )
    told, _ = look(elsewhere, note)
    assert (told.settled, told.neighbours) == (False, ())


def test_what_was_met_while_the_clock_was_set_to_another_year_is_not_told_until_then() -> None:
    host = home(PRINTER, heard={MDNS[0]: (answer("jetkvm.local"),)})
    host.pass_time(4 * 365 * 86400)
    _, note = look(host)
    _, note = look(host, note)
    host = home(NAS)
    told = looks(host, 2, note)
    assert [each.device_class for each in told.neighbours] == ["other"]
    assert told.known == ()


def test_what_was_there_at_two_looks_is_told_with_what_its_maker_makes() -> None:
    first, note = look(home(PRINTER, NAS))
    assert (first.settled, first.neighbours) == (False, ())
    second, _ = look(home(PRINTER, NAS), note)
    assert second.settled
    assert sorted(each.device_class for each in second.neighbours) == ["other", "printer"]
    digests = [each.identity[0].digest for each in second.neighbours]
    assert digests == sorted(digests)
    assert second.gateway_class == "other"


def test_no_address_leaves_in_any_form() -> None:
    signal = looks(home(PRINTER, NAS, JETKVM))
    said = bytes(encode_signal(signal)).decode()
    for address in (PRINTER, NAS, JETKVM, ROUTER):
        assert address.hex() not in said
        assert address.hex(":") not in said


def test_a_quiet_home_is_told_once_and_a_visitor_of_one_hour_never() -> None:
    host, note, said = home(PRINTER, NAS), b"", []
    for hour in range(24):
        host.join(routes=(HOME4,), neighbours=household(PRINTER, NAS, *([bytes([0, 17, 50, 9, 9, 9])] * (hour == 7))))
        signal, note = look(host, note)
        said.append(bytes(encode_signal(signal)))
        host.pass_time(3600)
    assert len(set(said[1:])) == 1


def test_a_device_that_is_away_for_a_week_is_forgotten() -> None:
    host, note = home(PRINTER, NAS), b""
    for _ in range(2):
        _, note = look(host, note)
    host.join(routes=(HOME4,), neighbours=household(NAS))
    host.pass_time(8 * 86400)
    signal, _ = look(host, note)
    assert [each.device_class for each in signal.neighbours] == ["other"]


def test_telephones_that_draw_their_addresses_and_routers_that_share_theirs_are_left_out() -> None:
    assert looks(home(PHONE, VRRP, bytes.fromhex("0242ac110002"))).neighbours == ()


def test_a_router_with_an_address_of_chance_is_of_unknown_make() -> None:
    assert looks(home(router=bytes.fromhex("02421a2b3c4d"))).gateway_class == "unknown"


def test_a_travel_router_in_front() -> None:
    assert looks(home(router=bytes.fromhex("9483c4a1b2c3"))).gateway_class == "travel_router"


@pytest.mark.parametrize(("address", "product"), [(JETKVM, "jetkvm"), (NANOKVM, "nanokvm")])
def test_a_box_that_drives_machines_is_known_by_its_address(address: bytes, product: str) -> None:
    signal = looks(home(address))
    assert [(each.product, each.by) for each in signal.known] == [(product, "address")]
    assert [each.device_class for each in signal.neighbours] == ["kvm"]


@pytest.mark.parametrize("name", ["pikvm.local", "PiKVM.local", "box._pikvm._tcp.local", "_pikvm._tcp.local"])
def test_a_box_is_known_by_the_name_that_it_calls(name: str) -> None:
    signal = looks(home(heard={MDNS[0]: [answer(name)]}), times=1)
    assert signal.names_heard
    assert [(each.product, each.by) for each in signal.known] == [("pikvm", "name")]


@pytest.mark.parametrize("name", ["my-pikvm-notes.local", "pikvm.example.com", "pikvm.sub.local", "raspberrypi.local"])
def test_other_names_are_no_box(name: str) -> None:
    assert looks(home(heard={MDNS[0]: [answer(name)]})).known == ()


def test_a_name_is_remembered_for_a_week_and_listened_for_every_four_hours() -> None:
    host = home(heard={MDNS[0]: [answer("pikvm.local")]})
    _, note = look(host)
    host._heard = {}
    host.pass_time(3600)
    assert [each.product for each in look(host, note)[0].known] == ["pikvm"], "not asked for again yet"
    host.pass_time(9 * 86400)
    assert look(host, note)[0].known == ()


def test_where_nothing_may_be_heard_it_is_said_and_tried_again() -> None:
    signal, note = look(home(PRINTER))
    assert not signal.names_heard
    again, _ = look(home(PRINTER, heard={MDNS[0]: []}), note)
    assert again.names_heard


def test_what_others_ask_for_says_nothing_of_who_is_there() -> None:
    question = struct.pack("!HHHHHH", 0, 0, 1, 0, 0, 0) + b"\x05pikvm\x05local\0\0\x01\0\x01"
    assert list(names_in([question])) == []


@pytest.mark.parametrize("cut", range(0, 34, 3))
def test_a_message_that_is_cut_off_harms_nothing(cut: int) -> None:
    assert set(names_in([answer("pikvm.local")[:cut]])) <= {"pikvm.local"}


def test_a_name_that_points_at_itself_ends() -> None:
    assert list(names_in([struct.pack("!HHHHHH", 0, 0x8400, 0, 1, 0, 0) + b"\xc0\x0c"])) == []


def test_two_networks_are_remembered_apart() -> None:
    host, note = home(PRINTER), b""
    for _ in range(2):
        _, note = look(host, note)
    office = bytes.fromhex("00156d010203")
    host.join(routes=(HOME4,), neighbours=household(NAS, router=office))
    away, note = look(host, note)
    assert (away.settled, away.neighbours) == (False, ())
    host.join(routes=(HOME4,), neighbours=household(PRINTER))
    back, _ = look(host, note)
    assert [each.device_class for each in back.neighbours] == ["printer"]


def test_of_a_large_office_32_devices_are_told_the_same_ones_by_every_laptop() -> None:
    crowd = [bytes([0, 17, 50, 1, 0, n]) for n in range(200)]
    one, other = looks(home(*crowd)), looks(home(*reversed(crowd)))
    assert len(one.neighbours) == 32
    assert one.neighbours == other.neighbours


def test_without_a_key_only_what_makers_make_is_told() -> None:
    host = home(PRINTER)
    _, note = look(host, keys=())
    signal, _ = look(host, note, keys=())
    assert [(each.identity, each.device_class) for each in signal.neighbours] == [((), "printer")]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/run/systemd/netif/leases/3", "# private\nADDRESS=192.168.1.7\nSERVER_ADDRESS=192.168.1.20\n"),
        ("/var/lib/NetworkManager/internal-0f-wlp3s0.lease", "SERVER_ADDRESS=192.168.1.20\n"),
        (
            "/var/lib/dhcp/dhclient.leases",
            "  option dhcp-server-identifier 10.0.0.1;\n  option dhcp-server-identifier 192.168.1.20;\n",
        ),
    ],
)
def test_a_machine_that_gives_out_addresses_beside_the_router(path: str, text: str) -> None:
    host = home(bytes.fromhex("9483c4000001"))
    host.join(routes=(HOME4,), files={path: text}, neighbours=household(bytes.fromhex("9483c4000001")))
    signal = looks(host)
    assert signal.dhcp_class == "travel_router"
    assert len(signal.dhcp_server) == 1


def test_a_machine_that_gave_the_laptop_its_address_stays_told_while_nobody_talks_to_it() -> None:
    box = bytes.fromhex("9483c4000001")
    lease = {"/run/systemd/netif/leases/3": "SERVER_ADDRESS=192.168.1.20\n"}
    host = home(box)
    host.join(routes=(HOME4,), files=lease, neighbours=household(box))
    met, note = look(host)
    host.join(routes=(HOME4,), files=lease, neighbours=household())
    later, note = look(host, note)
    assert met.dhcp_class == later.dhcp_class == "travel_router"
    host.join(routes=(HOME4,), files={"/run/systemd/netif/leases/3": "SERVER_ADDRESS=192.168.1.1\n"})
    assert look(host, note)[0].dhcp_class is None, "the router gives them out now"


def acknowledgement(*options: bytes) -> bytes:
    """A DHCP server's answer: 236 bytes, the cookie, and options."""
    return bytes(236) + bytes.fromhex("63825363") + b"\x35\x01\x05" + b"".join(options) + b"\xff" + bytes(20)


@pytest.mark.parametrize("name", ["en0.plist", "en0-1,8c:85:90:0:0:1"])
def test_a_mac_keeps_the_answer_of_who_gave_it_its_address(name: str) -> None:
    gave = acknowledgement(b"\x00\x00", b"\x36\x04" + bytes((192, 168, 1, 20)), b"\x03\x04" + bytes((192, 168, 1, 1)))
    lease = plistlib.dumps({"IPAddress": "192.168.1.7", "RouterIPAddress": "192.168.1.1", "PacketData": gave})
    host = home(bytes.fromhex("9483c4000001"))
    neighbours = household(bytes.fromhex("9483c4000001"))
    host.join(routes=(HOME4,), files={f"/var/db/dhcpclient/leases/{name}": lease}, neighbours=neighbours)
    assert looks(host).dhcp_class == "travel_router"


@given(st.binary(max_size=400))
def test_whatever_a_lease_holds_is_read_to_an_end(data: bytes) -> None:
    assert server_in(acknowledgement(data)).count(".") in (0, 3)
    assert server_in(data) == ""
    assert lease_packet(data) == b""


def test_a_laptop_without_a_network_has_no_neighbours_to_look_at() -> None:
    with pytest.raises(Unavailable) as caught:
        look(laptop())
    assert caught.value.failure == "absent"


def test_a_note_that_cannot_be_read_is_none() -> None:
    signal, _ = look(home(PRINTER), b"\xff{")
    assert not signal.settled


def test_the_shipped_table_knows_its_products_and_no_ordinary_device() -> None:
    known = Known(shipped.load(hardware.load().products))
    assert known.product(JETKVM) == "jetkvm"
    assert known.product(NANOKVM) == "nanokvm"
    assert known.product(bytes.fromhex("48da35700001")) is None, "the rest of that block is other makers'"
    for name in ("pikvm.local", "glkvm.local", "jetkvm-0a1b2c.local", "tinypilot.local", "blikvm.local"):
        assert known.product_called(name), name
    for name in ("kvm-4f2a.local", "kvmhost.local", "raspberrypi.local", "homeassistant.local", "printer.local"):
        assert known.product_called(name) is None, name
    for address in ("b827eb010203", "dca632010203", "e8ea6a010203"):  # Raspberry Pi twice, StarTech
        assert known.device_class(bytes.fromhex(address)) == "other"
    assert known.device_class(bytes.fromhex("9483c4010203")) == "travel_router"


def test_a_class_of_a_newer_collector_is_left_out() -> None:
    assert Known(TABLE).device_class(ROUTER) == "other"
    assert msgspec.json.decode(msgspec.json.encode(TABLE), type=NeighbourTable) == TABLE


def test_whoever_calls_out_as_much_as_fits_takes_little_time() -> None:
    """A name of 78 parts once, and then 127 times a pointer to it, in each of 256 messages."""
    name = b"\x01a" * 78 + b"\0"
    asked = b"".join(struct.pack("!HHH", 0xC00C, 1, 1) for _ in range(63))
    answered = b"".join(struct.pack("!HHHIH", 0xC00C, 1, 1, 1, 0) for _ in range(64))
    message = struct.pack("!HHHHHH", 0, 0x8400, 64, 64, 0, 0) + name + b"\0\1\0\1" + asked + answered
    assert len(list(names_in([message]))) == 64
    assert len(list(names_in([message] * 256))) <= MOST_READ // 2, "questions count too"
    honest = [answer(f"tv-{n}.local") for n in range(256)]
    assert len(list(names_in(honest))) == 256
