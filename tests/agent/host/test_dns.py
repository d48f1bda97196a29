"""dns, with name servers on loopback that answer as the internet's do, and as some do."""

from __future__ import annotations

import errno
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import dns
from agent.host.dns import parse_answer, parse_resolv_conf, question, resolve
from agent.host.linux import LinuxHost

Answering = Callable[[bytes, int], bytes | None]


@contextmanager
def name_server(answer: Answering, address: str = "127.0.0.1") -> Iterator[int]:
    """A name server; what it answers is a function of the question and of how many it had before."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 0))
        server.settimeout(5)

        def run() -> None:
            count = 0
            while True:
                try:
                    asked, peer = server.recvfrom(4096)
                except OSError:
                    return
                said = answer(asked, count)
                count += 1
                if said is not None:
                    server.sendto(said, peer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]


def record(kind: int, data: bytes) -> bytes:
    return struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(data)) + data


def answered(asked: bytes, *records: bytes, flags: int = 0x8180) -> bytes:
    return asked[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + asked[12:] + b"".join(records)


def a(address: str) -> bytes:
    return record(1, socket.inet_aton(address))


ALIAS = record(5, b"\x03www\xc0\x0c")
AAAA = record(28, socket.inet_pton(socket.AF_INET6, "2600:1f18::7"))


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, tuple[str, ...]]]:
    def asking(
        port: int, *names: str, family: dns.Family = "ipv4", servers: tuple[str, ...] = ("127.0.0.1",)
    ) -> dict[str, tuple[str, ...]]:
        monkeypatch.setattr(dns, "PORT", port)
        return resolve(names or ("fra.example.net",), servers, family, 1.0)

    return asking


Ask = Callable[..., dict[str, tuple[str, ...]]]


def test_many_names_are_asked_for_at_once(ask: Ask) -> None:
    def slow(asked: bytes, count: int) -> bytes:
        time.sleep(0.01)
        return answered(asked, ALIAS, a(f"18.192.0.{asked[14]}"))

    names = [f"x{n:02}.example.net" for n in range(20)]
    with name_server(slow) as port:
        found = ask(port, *names)
    assert set(found) == set(names)


def test_addresses_of_the_other_protocol_are_not_taken(ask: Ask) -> None:
    with name_server(lambda asked, _: answered(asked, a("18.192.0.1"), AAAA)) as port:
        assert ask(port) == {"fra.example.net": ("18.192.0.1",)}
        assert ask(port, family="ipv6") == {"fra.example.net": ("2600:1f18::7",)}


def test_a_question_that_got_lost_is_asked_again(ask: Ask) -> None:
    with name_server(lambda asked, count: answered(asked, a("18.192.0.1")) if count else None) as port:
        assert ask(port) == {"fra.example.net": ("18.192.0.1",)}


def test_a_silent_server_costs_no_more_than_the_time_that_is_given(ask: Ask) -> None:
    with name_server(lambda asked, _: None) as port:
        started = time.monotonic()
        assert ask(port, *(f"x{n}.example.net" for n in range(64))) == {}
        assert time.monotonic() - started < 1.5


def test_where_nobody_listens_or_no_server_is_known_there_is_no_address(ask: Ask) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert ask(port) == {}
    assert resolve(["fra.example.net"], (), "ipv4", 1.0) == {}
    assert ask(port, servers=("not an address",)) == {}


def test_a_name_that_does_not_exist_has_no_address(ask: Ask) -> None:
    with name_server(lambda asked, _: answered(asked, flags=0x8183)) as port:
        assert ask(port) == {"fra.example.net": ()}


@pytest.mark.parametrize("code", [2, 4, 5], ids=["failure", "not implemented", "refused"])
def test_a_server_that_will_not_say_leaves_the_question_to_the_next(ask: Ask, code: int) -> None:
    def split(asked: bytes, count: int) -> bytes:
        return answered(asked, a("18.192.0.1")) if count else answered(asked, flags=0x8180 | code)

    with name_server(split) as port:
        assert ask(port) == {"fra.example.net": ("18.192.0.1",)}


@pytest.mark.parametrize("server", ["x" * 64, "ü" * 70], ids=["a long label", "no ASCII"])
def test_a_resolv_conf_that_names_no_address_gives_no_address(ask: Ask, server: str) -> None:
    assert ask(53, servers=(server,)) == {}


@pytest.mark.parametrize("error", [errno.EHOSTUNREACH, errno.EACCES, errno.ENOPROTOOPT])
def test_a_firewall_on_the_way_that_forbids_questions_is_a_server_that_refuses(error: int) -> None:
    class Forbidden:
        def recv(self, _most: int) -> bytes:
            raise OSError(error, "as ICMP's messages are told (ip(7): code 13 is EHOSTUNREACH, IPv6's 1 is EACCES)")

    assert dns._received(Forbidden()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "forged",
    [
        lambda asked: b"\0\0" + answered(asked, a("6.6.6.6"))[2:],
        lambda asked: answered(asked, a("6.6.6.6")).replace(b"example", b"exbmple"),
        lambda asked: answered(asked, a("6.6.6.6"), flags=0x0100),
        lambda asked: asked[:11],
        lambda asked: b"",
    ],
    ids=["another number", "another name", "a question", "cut off", "nothing"],
)
def test_what_does_not_answer_the_question_is_not_believed(ask: Ask, forged: Callable[[bytes], bytes]) -> None:
    if forged(question("a.net", "ipv4")) != b"":
        assert parse_answer(forged(asked := question("fra.example.net", "ipv4")), asked) is None
    with name_server(lambda asked, _: forged(asked)) as port:
        assert ask(port) == {}


def test_names_that_cannot_be_asked_for_are_left_out(ask: Ask) -> None:
    bad = ("", ".", "a..b", "x" * 64 + ".net", ".".join(["abcdefgh"] * 40), "münchen.example")
    started = time.monotonic()
    with name_server(lambda asked, _: answered(asked, a("18.192.0.1"))) as port:
        assert ask(port, *bad) == {}
    assert time.monotonic() - started < 0.5


@given(st.binary(max_size=300), st.booleans())
def test_no_answer_breaks_the_reader(noise: bytes, headed: bool) -> None:
    asked = question("fra.example.net", "ipv4")
    answer = asked[:2] + struct.pack("!HHHHH", 0x8180, 1, 9, 0, 0) + asked[12:] + noise if headed else noise
    found = parse_answer(answer, asked)
    assert found is None or len(found) <= dns.MAX_ADDRESSES


def test_name_servers_stand_in_resolv_conf_once_each() -> None:
    lines = ("# by hand", "search example.net", "nameserver 9.9.9.9", "nameserver  fe80::1%wlp3s0 ", "nameserver")
    assert parse_resolv_conf("\n".join((*lines, "nameserver 9.9.9.9"))) == ("9.9.9.9", "fe80::1%wlp3s0")


@pytest.mark.parametrize(
    ("listed", "behind", "servers"),
    [
        ("127.0.0.53", {"run/systemd/resolve/resolv.conf": "nameserver 192.168.1.1\n"}, ("192.168.1.1",)),
        ("127.0.1.1", {"run/NetworkManager/no-stub-resolv.conf": "nameserver 10.0.0.2\n"}, ("10.0.0.2",)),
        ("127.0.0.53", {}, ("127.0.0.53",)),
        ("192.168.1.1", {"run/systemd/resolve/resolv.conf": "nameserver 1.1.1.1\n"}, ("192.168.1.1",)),
    ],
)
def test_a_stub_on_the_laptop_stands_for_those_it_asks(
    tmp_path: Path, listed: str, behind: dict[str, str], servers: tuple[str, ...]
) -> None:
    for name, text in {"etc/resolv.conf": f"nameserver {listed}\n", **behind}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert LinuxHost(str(tmp_path)).name_servers() == servers
