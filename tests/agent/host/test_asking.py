"""asking: real servers that say what they are, and such as want to keep or drown whoever asks."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Answer, HostDeniedError, Neighbour
from agent.host.asking import LONGEST_S, MOST_CHARACTERS, MOST_NAMES, ask, ask_ports, parse_certificate, parse_page
from agent.host.linux import LinuxHost
from tests.farm.delay_line import why_not

ASK = """
import json, sys, urllib.request
from agent.host import Neighbour
from agent.host.asking import ask
from agent.host.linux import LinuxHost
answer = LinuxHost().ask_neighbour("cable", "192.168.7.1")
claimed = Neighbour(interface="cable", address="198.51.100.7", hardware=bytes(6))
behind = ask([claimed], "cable", "198.51.100.7")
page = urllib.request.urlopen("http://198.51.100.7/", timeout=2).read().decode()
print(json.dumps([answer and answer.title, behind and behind.title, page]))
"""
BOX = """
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<title>JetKVM</title>")
http.server.HTTPServer(("", 80), Page).serve_forever()
"""
NETWORK = """
set -e
ip link set lo up
ip netns add house
ip link add cable type veth peer name wall netns house
ip addr add 192.168.7.2/24 dev cable
ip link set cable up
ip netns exec house ip link set lo up
ip netns exec house ip addr add 198.51.100.7/32 dev lo
ip netns exec house ip addr add 192.168.7.1/24 dev wall
ip netns exec house ip link set wall up
ip route add default via 192.168.7.1
ip netns exec house "$0" -c "$2" >/dev/null 2>&1 & box=$!
trap 'kill $box' EXIT
"$0" -c 'import socket, time
for _ in range(50):
    try:
        socket.create_connection(("192.168.7.1", 80), 1).close()
        break
    except OSError:
        time.sleep(0.1)'
"$0" -c "$1"
"""
PAGE = b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n<html><head><TITLE lang='en'>Jet\n KVM &amp; more</title></head>"
CLOSED = 1
"""tcpmux: nothing listens there."""
Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(serve: Serve) -> Iterator[int]:
    """A server on loopback that treats each connection so; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def work() -> None:
            while True:
                try:
                    one, _ = listener.accept()
                except OSError:
                    return
                with one, contextlib.suppress(OSError):
                    one.settimeout(5)
                    serve(one)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(6)


def saying(data: bytes) -> Serve:
    def serve(one: socket.socket) -> None:
        one.recv(4096)
        one.sendall(data)

    return serve


def dripping(one: socket.socket) -> None:
    """A byte now and then, for ever: each read gets something in time."""
    while True:
        one.sendall(b"H")
        time.sleep(0.05)


def flooding(one: socket.socket) -> None:
    while True:
        one.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60_000)


def silent(one: socket.socket) -> None:
    while one.recv(4096):
        pass


def certificate(folder: Path, **names: str) -> tuple[Path, bytes]:
    """A certificate that signs itself, with its key, and its DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(getattr(NameOID, oid), text) for oid, text in names.items()])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=4000))
        .not_valid_after(now - timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "box.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path, made.public_bytes(serialization.Encoding.DER)


def behind_tls(pem: Path, inner: Serve) -> Serve:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    def serve(one: socket.socket) -> None:
        with context.wrap_socket(one, server_side=True) as opened:
            inner(opened)

    return serve


def asked(secure: int, clear: int = CLOSED) -> Answer | None:
    return ask_ports("127.0.0.1", (secure, clear))


def test_a_box_with_a_certificate_of_its_own_that_ran_out(tmp_path: Path) -> None:
    pem, _ = certificate(tmp_path, COUNTRY_NAME="US", ORGANIZATION_NAME="PiKVM", COMMON_NAME="localhost")
    with serving(behind_tls(pem, saying(PAGE))) as port:
        assert asked(port) == Answer(certificate=("PiKVM", "localhost"), title="Jet KVM & more")


def test_a_box_whose_page_never_comes_still_showed_its_certificate(tmp_path: Path) -> None:
    pem, _ = certificate(tmp_path, ORGANIZATION_NAME="PiKVM")
    with serving(behind_tls(pem, silent)) as port:
        assert asked(port) == Answer(certificate=("PiKVM",))


def test_a_page_without_an_end_is_cut_and_the_certificate_holds(tmp_path: Path) -> None:
    pem, _ = certificate(tmp_path, COMMON_NAME="tinypilot")
    with serving(behind_tls(pem, flooding)) as port:
        began = time.monotonic()
        assert asked(port) == Answer(certificate=("tinypilot",))
        assert time.monotonic() - began < 1


def test_a_box_without_encryption_is_asked_in_the_clear() -> None:
    with serving(saying(PAGE)) as port:
        assert asked(CLOSED, port) == Answer(title="Jet KVM & more")


def test_what_is_asked_is_the_first_page_and_nothing_of_this_laptop() -> None:
    heard: list[bytes] = []

    def serve(one: socket.socket) -> None:
        heard.append(one.recv(4096))
        one.sendall(PAGE)

    with serving(serve) as port:
        asked(CLOSED, port)
    assert heard == [b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"]


@pytest.mark.parametrize(
    "serve",
    [
        silent,
        dripping,
        flooding,
        saying(b"\x16\x03\x03" + b"\xff" * 5000),
        saying(b"SSH-2.0-OpenSSH_9.9\r\n"),
        saying(b""),
    ],
    ids=["silent", "a byte at a time", "endless headers", "damaged TLS", "another protocol", "nothing"],
)
def test_who_wants_to_keep_or_drown_the_laptop_is_left_in_time(serve: Serve) -> None:
    started, spent = time.monotonic(), time.process_time()
    with serving(serve) as secure, serving(serve) as clear:
        began = time.monotonic()
        assert asked(secure, clear) is None
        assert time.monotonic() - began < LONGEST_S + 0.5
    assert time.monotonic() - started < 10
    assert time.process_time() - spent < 2


def test_who_is_no_neighbour_is_not_asked() -> None:
    with serving(saying(PAGE)) as port:
        near = (Neighbour(interface="eth0", address="192.0.2.7", hardware=bytes(6)),)
        for interface, address in (("eth0", "127.0.0.1"), ("wlan0", "192.0.2.7"), ("eth0", "fe80::1"), ("eth0", "")):
            with pytest.raises(HostDeniedError, match="not a neighbour"):
                ask(near, interface, address)
        with pytest.raises(HostDeniedError, match="not a neighbour"):
            LinuxHost().ask_neighbour("lo", "127.0.0.1")
        assert port


@pytest.mark.netns
@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
def test_a_neighbour_is_asked_and_what_a_router_leads_to_is_not() -> None:
    command = ["unshare", "--net", "--mount", "sh", "-c", "mount -t tmpfs none /run && " + NETWORK]
    done = subprocess.run([*command, sys.executable, ASK, BOX], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["JetKVM", None, "<title>JetKVM</title>"]


def test_a_neighbour_that_no_route_without_a_router_leads_to_is_not_reached() -> None:
    near = (Neighbour(interface="eth0", address="198.51.100.7", hardware=bytes(6)),)
    began = time.monotonic()
    assert ask(near, "eth0", "198.51.100.7") is None
    assert time.monotonic() - began < 0.5, "the kernel itself refuses, or something was sent through a router"


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n<title>TinyPilot - Log In</title>", "TinyPilot - Log In"),
        (b"HTTP/1.1 200 OK\r\n\r\n<title>" + b"a" * 200 + b"</title>", "a" * MOST_CHARACTERS),
        (b"HTTP/1.1 200 OK\r\n\r\n<title>never closed", ""),
        (b"<title>no answer of HTTP</title>", ""),
        (b"", ""),
    ],
)
def test_titles(data: bytes, title: str) -> None:
    assert parse_page(data) == title


def test_names_in_a_certificate(tmp_path: Path) -> None:
    _, der = certificate(tmp_path, ORGANIZATION_NAME="Größe", COMMON_NAME="x" * 64, ORGANIZATIONAL_UNIT_NAME="unit")
    assert parse_certificate(der) == ("Größe", "x" * 64)
    assert parse_certificate(der[:40]) == ()


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_within_bounds(data: bytes) -> None:
    names = parse_certificate(data * 40)
    assert len(names) <= MOST_NAMES and all(len(name) <= 64 for name in names)
    assert len(parse_page(b"HTTP/1.1 " + data)) <= MOST_CHARACTERS
