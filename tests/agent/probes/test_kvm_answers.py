"""kvm_answers, on laptops in the networks that people have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.host import Answer
from agent.probe import Given, Unavailable
from agent.probes import PROBES, kvm_answers
from agent.surroundings import Known
from agent.wire.report import encode_signal
from agent.wire.settings import NeighbourTable, Settings
from agent.wire.signals import KvmAnswer, KvmAnswers
from collector.catalogue import hardware
from collector.catalogue import neighbours as shipped
from collector.strict import MistakesError
from tests.fakes import FakeHost
from tests.networks import HOME4, at_home, laptop

TABLE = shipped.load(hardware.load().products)
JETKVM, ATEN, NAS = bytes.fromhex("305253010203"), bytes.fromhex("001074aabbcc"), bytes.fromhex("001132445566")
PHONE = bytes.fromhex("325253010203")
"""An address of chance that begins as that of a JetKVM, but for the bit that says so."""
SAYS_JETKVM = Answer(certificate=("localhost", "JetKVM"), title="JetKVM")


def home(others: dict[str, bytes], answers: dict[str, Answer] | None = None, interface: str = "wlp3s0") -> FakeHost:
    host: FakeHost = at_home(answers=answers or {})
    router = {("wlp3s0", HOME4.gateway): bytes.fromhex("3c37866f1a2b")}
    host.join(routes=(HOME4,), neighbours=router | {(interface, each): mac for each, mac in others.items()})
    return host


def look(host: FakeHost, note: bytes = b"", table: NeighbourTable = TABLE) -> tuple[KvmAnswers, bytes]:
    settings = Settings(version=1, probes_on=("kvm_answers",), neighbours=table)
    found = kvm_answers.collect(Given(host=host, catalogue=None, settings=settings, notes={"kvm_answers": note}))
    assert isinstance(found.signal, KvmAnswers)
    return found.signal, found.note


def test_a_box_that_says_what_it_is() -> None:
    host = home({"192.168.1.20": JETKVM, "192.168.1.21": NAS}, {"192.168.1.20": SAYS_JETKVM})
    signal, _ = look(host)
    assert signal == KvmAnswers(asked=True, products=(KvmAnswer(product="jetkvm", by="certificate"),))
    assert host.asked_neighbours == ["192.168.1.20"]


def test_what_was_said_while_the_clock_was_set_to_another_year_is_not_told_until_then() -> None:
    host = home({"192.168.1.20": JETKVM}, {"192.168.1.20": SAYS_JETKVM})
    host.pass_time(4 * 365 * 86400)
    _, note = look(host)
    assert look(home({}), note)[0] == KvmAnswers(asked=False)


def test_nobody_else_is_asked() -> None:
    host = home({"192.168.1.21": NAS, "192.168.1.22": PHONE, "fe80::1": JETKVM})
    assert look(host)[0] == KvmAnswers(asked=False)
    assert host.asked_neighbours == []


def test_a_neighbour_on_another_interface_than_the_way_out_is_not_asked() -> None:
    host = home({"172.17.0.2": JETKVM}, interface="docker0")
    assert not look(host)[0].asked
    assert host.asked_neighbours == []


def test_without_a_signed_table_nobody_is_asked() -> None:
    host = home({"192.168.1.20": JETKVM}, {"192.168.1.20": SAYS_JETKVM})
    assert not look(host, table=NeighbourTable())[0].asked
    assert host.asked_neighbours == []


def test_of_a_room_full_of_boxes_four_are_asked() -> None:
    host = home({f"192.168.1.{n}": ATEN[:5] + bytes([n]) for n in range(20, 60)})
    assert look(host)[0] == KvmAnswers(asked=True)
    assert len(host.asked_neighbours) == 4


def test_a_switch_for_a_desk_of_the_same_maker_says_nothing_of_the_kind() -> None:
    plain = Answer(certificate=("ATEN International",), title="Energy sensor")
    assert look(home({"192.168.1.20": ATEN}, {"192.168.1.20": plain}))[0] == KvmAnswers(asked=True)


def test_a_box_that_is_off_for_some_days_is_still_told_and_after_a_week_no_more() -> None:
    host = home({"192.168.1.20": JETKVM}, {"192.168.1.20": SAYS_JETKVM})
    first, note = look(host)
    host.join(routes=(HOME4,), neighbours={("wlp3s0", HOME4.gateway): bytes.fromhex("3c37866f1a2b")})
    host.pass_time(6 * 86400)
    later, note = look(host, note)
    assert later == first
    host.pass_time(2 * 86400)
    assert look(host, note)[0] == KvmAnswers(asked=False)


def test_another_network_is_told_by_itself() -> None:
    host = home({"192.168.1.20": JETKVM}, {"192.168.1.20": SAYS_JETKVM})
    _, note = look(host)
    host.join(routes=(HOME4,), neighbours={("wlp3s0", HOME4.gateway): bytes.fromhex("3c3786000000")})
    assert look(host, note)[0] == KvmAnswers(asked=False)


def test_no_word_and_no_address_leaves() -> None:
    host = home({"192.168.1.20": JETKVM}, {"192.168.1.20": Answer(certificate=("JETKVM",), title="Living room of Ann")})
    said = bytes(encode_signal(look(host)[0])).decode()
    assert '"jetkvm"' in said
    for text in ("Living", "JETKVM", "192.168", JETKVM.hex()):
        assert text not in said


def test_without_a_network_there_is_nothing_to_ask() -> None:
    with pytest.raises(Unavailable) as raised:
        look(laptop())
    assert raised.value.failure == "absent"


@pytest.mark.parametrize("note", [b"{", b'{"networks": 3}', b"[" * 100_000])
def test_a_damaged_note_is_an_empty_one(note: bytes) -> None:
    assert look(home({"192.168.1.20": JETKVM}), note)[0].asked


@pytest.mark.parametrize(
    ("answer", "product"),
    [
        ({"certificate": ("localhost", "PiKVM")}, ("pikvm", "certificate")),
        ({"title": "PiKVM Login"}, ("pikvm", "title")),
        ({"certificate": ("GLKVM",), "title": "PiKVM Index"}, ("glinet-comet", "certificate")),
        ({"certificate": ("localhost",), "title": "NanoKVM"}, ("nanokvm", "title")),
        ({"certificate": ("tinypilot", "tinypilot-ca")}, ("tinypilot", "certificate")),
        ({"title": "How to build a PiKVM Login"}, None),
        ({"certificate": ("localhost", "Synology Inc.")}, None),
        ({}, None),
    ],
)
def test_the_shipped_table_knows_what_products_say(answer: dict[str, Any], product: tuple[str, str] | None) -> None:
    assert Known(TABLE).product_answering(Answer(**answer)) == product


@pytest.mark.parametrize("words", ["*", "KVM*", "ab"])
def test_a_table_that_would_fit_every_page_is_refused(words: str, tmp_path: Path) -> None:
    path = tmp_path / "neighbours.yaml"
    path.write_text(f"makers: []\nproducts:\n  - {{id: jetkvm, titles: ['{words}'], source: a page}}\n")
    with pytest.raises(MistakesError, match=r"4 (to 64 )?characters"):
        shipped.load(hardware.load().products, path)


def test_it_runs_on_request_alone_and_rarely() -> None:
    assert kvm_answers.PROBE in PROBES
    assert not kvm_answers.PROBE.is_asked_for(Settings(version=1))
    assert kvm_answers.PROBE.is_asked_for(Settings(version=1, probes_on=("kvm_answers",)))
    assert kvm_answers.PROBE.every_s > 5.9 * 3600
