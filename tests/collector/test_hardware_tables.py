"""The shipped hardware tables: what they hold, what their loader refuses, and what the agent's own readers find."""

from __future__ import annotations

import copy
import json
import os
import plistlib
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from agent import hid
from agent.hardware.edid import parse_edid
from agent.hardware.usb import with_descriptor
from agent.host.commands import MAC_MONITORS
from agent.probe import Given
from agent.probes import displays, usb_devices
from agent.wire.signals import UsbInterface
from collector.catalogue import hardware
from collector.catalogue.hardware import SHIPPED
from collector.judgement.hardware import HardwareTables
from collector.judgement.recognition import display_signs, usb_signs
from collector.strict import MistakesError
from tests import macos_registry, windows_registry
from tests.collector import devices
from tests.collector.peripherals import usb
from tests.fakes import FakeHost
from tests.hardware import machine

DOCS = Path(__file__).parents[2] / "docs" / "catalogue.md"
# fmt: off
MUST_HAVE = {
    "pikvm", "glinet-comet", "jetkvm", "nanokvm", "nanokvm-pro", "nanokvm-usb", "one-kvm", "tinypilot", "blikvm",
    "ch9329", "aurga", "aten-ip", "raritan", "avocent", "adder", "lantronix-spider", "startech", "linux-gadget",
    "tc358743",
}
# fmt: on
FILE: dict[str, Any] = {
    "stop": {"names": ["HDMI"], "serial_texts": ["000000000000"], "serial_numbers": [0, 0x01010101]},
    "products": [
        {
            "id": "box",
            "name": "Box",
            "words": ["boxkvm"],
            "usb": [{"tier": "exact", "vendor_id": "1d6b", "product_id": "0104", "manufacturer": ["Box"]}],
            "storage": [{"tier": "exact", "vendor": "Box", "model": ["Drive"]}],
            "displays": [{"tier": "exact", "words": "its monitor", "vendor": "BOX", "product_code": "0001"}],
            "source": "its firmware",
            "confirmed": True,
        }
    ],
    "descriptors": [
        {"sha256": "a" * 64, "bytes": 73, "words": "pointer", "products": ["box"], "specific": "product", "why": "long"}
    ],
    "genuine": [{"vendor_id": "046d", "product_id": "c52b", "name": "receiver", "source": "usb.ids"}],
    "keyboard_makers": [{"vendor_id": "046d", "name": "Logitech"}],
    "fast_input_makers": [{"vendor_id": "1532", "name": "Razer"}],
}


def loaded(folder: Path, file: dict[str, Any]) -> HardwareTables:
    path = folder / "hardware.yaml"
    path.write_text(yaml.safe_dump(file))
    return hardware.load(path)


def refused(folder: Path, change: Any) -> list[tuple[str, str]]:
    """Places and texts of the mistakes after a change of the file."""
    file = copy.deepcopy(FILE)
    change(file)
    with pytest.raises(MistakesError) as caught:
        loaded(folder, file)
    return [(each.place, each.text) for each in caught.value.mistakes]


def test_the_shipped_tables_hold_the_products_that_are_sold() -> None:
    assert not MUST_HAVE - set(devices.tables().products)


def test_a_small_file_becomes_tables(tmp_path: Path) -> None:
    tables = loaded(tmp_path, FILE)
    assert tables.products == {"box": "Box"}
    assert tables.usb["1d6b:0104"][0].manufacturers == {"box"}
    assert tables.displays["BOX"][0].products == ("box",)
    assert (tables.own_vendors, tables.fast_input_makers) == ({"1d6b"}, {"1532"})


def product(**fields: Any) -> Any:
    return lambda file: file["products"][0].update(fields)


def display(**fields: Any) -> Any:
    return product(displays=[{"tier": "exact", "words": "its monitor"} | fields])


def second(**fields: Any) -> Any:
    return lambda file: file["products"].append(file["products"][0] | {"id": "other"} | fields)


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (product(colour="red"), "products[0].colour", "unknown key"),
        (
            product(usb=[{"tier": "exact", "vendor_id": "1D6B", "product_id": "0104"}]),
            "products[0].usb[0].vendor_id",
            "hexa",
        ),
        (
            product(usb=[{"tier": "exact", "vendor_id": 104, "product_id": "0104"}]),
            "products[0].usb[0].vendor_id",
            "expected",
        ),
        (
            product(usb=[{"tier": "sure", "vendor_id": "1d6b", "product_id": "0104"}]),
            "products[0].usb[0].tier",
            "one of",
        ),
        (
            product(usb=[{"tier": "exact", "vendor_id": "1d6b", "product_id": "*"}]),
            "products[0].usb[0].product_id",
            "maker",
        ),
        (
            product(usb=[{"tier": "masquerade", "vendor_id": "046d", "product_id": "c52b", "product": ["Receiver"]}]),
            "products[0].usb[0]",
            "real product",
        ),
        (
            product(usb=[{"tier": "exact", "vendor_id": "046d", "product_id": "c52b", "serial_like": "["}]),
            "products[0].usb[0].serial_like",
            "regular expression",
        ),
        (product(words=["kvm"]), "products[0].words[0]", "letters"),
        (product(words=["BoxKVM"]), "products[0].words[0]", "lower case"),
        (product(words=[], usb=[], storage=[], displays=[]), "products[0].id", "needs words, usb, storage or displays"),
        (product(unseen="nothing is public"), "products[0].unseen", "remove unseen"),
        (display(name="hdmi"), "products[0].displays[0].name", "stop list"),
        (display(name="Box", serial_text="000000000000"), "products[0].displays[0].serial_text", "stop list"),
        (display(serial_number=0x01010101), "products[0].displays[0]", "too little"),
        (display(vendor="BOX"), "products[0].displays[0]", "too little"),
        (display(vendor="DELL", product_code="0001"), "products[0].displays[0].vendor", "three letters"),
        (display(vendor="DEL", product_code="0001", tier="masquerade"), "products[0].displays[0]", "every monitor"),
        (display(name="Box", also=["bax"]), "products[0].displays[0].also", "did you mean box?"),
        (display(block0=["abc"]), "products[0].displays[0].block0[0]", "SHA-256"),
        (second(id="box"), "products[1].id", "used twice"),
        (second(), "products[1].words[0]", "belongs to box"),
        (lambda file: file["descriptors"].append(file["descriptors"][0]), "descriptors[1].sha256", "listed twice"),
        (lambda file: file["descriptors"][0].update(products=["bax"]), "descriptors[0].products", "did you mean box?"),
        (lambda file: file["descriptors"][0].update(bytes=0), "descriptors[0].bytes", "length"),
        (lambda file: file["genuine"].append(file["genuine"][0]), "genuine[1]", "listed twice"),
        (
            lambda file: file["keyboard_makers"].append(file["keyboard_makers"][0]),
            "keyboard_makers[1].vendor_id",
            "listed twice",
        ),
        (lambda file: file.pop("stop"), "stop", "missing"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, change: Any, place: str, words: str) -> None:
    found = refused(tmp_path, change)
    assert any(at == place and words in text for at, text in found), found


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    def twice(file: dict[str, Any]) -> None:
        file["products"][0]["words"] = ["kvm"]
        file["descriptors"][0]["products"] = ["bax"]

    assert len(refused(tmp_path, twice)) == 2


def test_every_product_stands_in_the_documentation() -> None:
    text = DOCS.read_text()
    assert [product for product in devices.tables().products if f"| `{product}` |" not in text] == []


def test_every_identity_of_the_file_says_where_it_comes_from() -> None:
    for each in yaml.safe_load(SHIPPED.read_text())["products"]:
        assert each["source"]
        assert isinstance(each["confirmed"], bool)


@cache
def samples(name: str) -> dict[str, Any]:
    """Reference facts that lie beside the evaluation data; they are never copied into this tree."""
    place = os.environ.get("FARHAND_EVAL_DATA")
    path = Path(place or "absent").resolve().parent / "reference" / "facts" / name
    if not path.is_file():
        pytest.skip(f"{name} does not lie beside FARHAND_EVAL_DATA")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


POINTER = UsbInterface(number=1, interface_class="03", subclass="00", protocol="00")
TIER_OF_PRESET = {"default": {"exact", "bridge"}, "default_identity": {"exact"}}


def test_every_known_edid_is_recognised_as_the_agent_reads_it() -> None:
    kinds = {each["label"]: each["kind"] for each in samples("ipkvm_fingerprints.json")["edids"]}
    raw = samples("edid_hid_samples.json")["edids"]
    assert len(raw) >= 20
    for each in raw:
        seen = parse_edid(bytes.fromhex(each["hex"]), "card1-HDMI-A-1")
        tiers = {sign.tier for sign in display_signs(seen, devices.tables())}
        assert tiers <= TIER_OF_PRESET.get(kinds[each["label"]], {"masquerade"}), each["label"]
        assert tiers, each["label"]


def test_every_known_edid_is_recognised_as_each_system_shows_it() -> None:
    """The bytes in /sys, in the registry, from ioreg; with Apple's processors the identity without bytes."""
    for each in samples("edid_hid_samples.json")["edids"]:
        data = bytes.fromhex(each["hex"])
        key = "HKLM\\SYSTEM\\CurrentControlSet\\Enum\\DISPLAY\\ABC0001\\4&1"
        path = "/sys/class/drm/card1-HDMI-A-1"
        known = parse_edid(data, "x")
        keys = {key: {}, f"{key}\\Control": {}, f"{key}\\Device Parameters": {"EDID": data}}
        printed = plistlib.dumps([{"IODisplayEDID": data}]).decode()
        hosts = (
            FakeHost(files={f"{path}/status": "connected\n", f"{path}/edid": data}),
            FakeHost(system="windows", registry=keys),
            FakeHost(system="macos", kernel=("25", "x86_64"), commands={MAC_MONITORS: printed}),
            FakeHost(system="macos", kernel=("25", "arm64"), commands=macos_registry.commands(displays=(known,))),
        )  # fmt: skip
        for host in hosts:
            (seen,) = displays.collect(Given(host=host, catalogue=None)).displays
            assert display_signs(seen, devices.tables()), (each["label"], host.system)


def test_every_known_report_descriptor_is_recognised_as_each_system_shows_it() -> None:
    """Under another maker's ids. Windows tells what it describes: pointers of boxes are known by that, and plain shapes
    and the samples of gadgets are not, as they are those of honest devices."""
    told = {"linux": set[str](), "macos": set[str](), "windows": set[str]()}
    raw = samples("edid_hid_samples.json")["hid_report_descriptors"]
    pointer = UsbInterface(number=0, interface_class="03", subclass="00", protocol="00")
    keyboard = usb("413c:2113", "Dell", "KB216", pointer, port="1-2", speed_mbps=1.5)
    for each in raw:
        data = bytes.fromhex(each["hex"])
        words = hid.outline(hid.parse_descriptor(data))
        files, links = machine((keyboard,), hid={("1-2", 0): data})
        known = windows_registry.registry((keyboard,), outlines={("1-2", 0): words})
        hosts = (
            FakeHost(files=files, links=links),
            FakeHost(system="macos", commands=macos_registry.commands((keyboard,), hid={("1-2", 0): data})),
            FakeHost(system="windows", registry=known.all, hid=known.hid),
        )
        for host in hosts:
            (seen,) = usb_devices.collect(Given(host=host, catalogue=None)).devices
            if usb_signs(seen, devices.tables()):
                told[host.system].add(each["sha256"])
    specific = {digest: known.specific for digest, known in devices.tables().descriptors.items()}
    assert told["linux"] == told["macos"] == {digest for digest, kind in specific.items() if kind != "common"}
    assert told["windows"] == {digest for digest, kind in specific.items() if kind == "product"}
    assert {each["sha256"] for each in raw} == set(specific)


def test_a_changed_edid_is_recognised_by_its_fields() -> None:
    for each in samples("edid_hid_samples.json")["edids"]:
        seen = parse_edid(bytes.fromhex(each["hex"]), "card1-HDMI-A-1")
        changed = msgspec.structs.replace(seen, block0_sha256="0" * 64, edid_sha256="0" * 64)
        assert display_signs(changed, devices.tables()), each["label"]


def test_every_known_report_descriptor_is_in_the_tables_as_the_agent_reads_it() -> None:
    tables = devices.tables()
    raw = samples("edid_hid_samples.json")["hid_report_descriptors"]
    assert len(raw) >= 20
    for each in raw:
        data = bytes.fromhex(each["hex"])
        known, shape = tables.descriptors[each["sha256"]], with_descriptor(POINTER, data)
        assert ("absolute" in known.words) is shape.absolute_pointer, each
        assert (known.specific == "product") is (shape.absolute_pointer and known.specific != "gadget"), each


def test_a_box_in_full_disguise_is_recognised_by_its_pointer() -> None:
    for each in samples("edid_hid_samples.json")["hid_report_descriptors"]:
        pointer = with_descriptor(POINTER, bytes.fromhex(each["hex"]))
        if pointer.absolute_pointer:
            signs = usb_signs(usb("413c:2113", "Dell", "KB216", pointer), devices.tables())
            # One of NanoKVM's pointers is that of a maker's board as well: it names no product.
            shared = devices.tables().descriptors[each["sha256"]].specific == "gadget"
            assert [sign.tier for sign in signs] == ["gadget" if shared else "masquerade"], each


def test_every_product_record_and_identity_of_the_facts_is_in_the_tables() -> None:
    facts, tables = samples("ipkvm_fingerprints.json"), devices.tables()
    for each in facts["devices"]:
        for known in (*each.get("usb", ()), *each.get("usb_spoof_presets", ()), *each.get("usb_target_side", ())):
            pid = known.get("pid")
            for one in (pid or "").split("|") if pid and pid != "unverified" else ():
                key = f"{known['vid']}:{one}" if len(one) == 4 else f"{known['vid']}:*"
                assert key in tables.usb, (each["product"], known)
        for answer in each.get("scsi_inquiry", ()):
            assert answer[:8].strip().casefold() in tables.storage, answer
    for each in facts["edids"]:
        shipped = {each["sha256_block0"], each.get("sha256_block0_checksum_corrected")} & set(tables.blocks)
        assert shipped or each["kind"] == "default_identity", each["label"]


def test_no_monitor_that_is_often_seen_is_more_than_a_remark() -> None:
    allowed = {"LNX", "TSB", "ADR", "ADV", "RAR", "AVO", "ATN"}
    rates = samples("edid_baserates.json")
    for each in (*rates["suspicious_names"], *rates["repeated_serial_strings"]):
        seen = parse_edid(b"", "card1-HDMI-A-1")
        shown = msgspec.structs.replace(
            seen, readable=True, vendor=each["mfg_id"], product_code=each.get("product", "0x0000")[2:].lower(),
            name=each["name"], serial_text=each["serial_string"], block0_sha256="0" * 64,
        )  # fmt: skip
        tiers = {sign.tier for sign in display_signs(shown, devices.tables())}
        assert tiers <= {"context"} or each["mfg_id"] in allowed, each
