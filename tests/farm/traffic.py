"""traffic: what honest people's laptops do all day, as small programs on hosts of a delay line.

python traffic.py serve                    pages and uploads over HTTP on port 8080, an echo over UDP on port 8081
python traffic.py browse ADDRESS           reads pages with pauses
python traffic.py upload ADDRESS           sends files of 4 MB
python traffic.py call ADDRESS [BYTES]     50 packets a second both ways, as a call or a VPN has them
"""

from __future__ import annotations

import http.client
import http.server
import random
import socket
import sys
import threading
import time

HTTP_PORT, UDP_PORT = 8080, 8081


class Pages(http.server.BaseHTTPRequestHandler):
    """Any page of 60 KB, and a place for uploads."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"x" * 60_000)

    def do_PUT(self) -> None:
        left = int(self.headers["Content-Length"])
        while left > 0:
            left -= len(self.rfile.read(min(left, 65536)))
        self._answer(b"kept")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        """Say nothing."""


def serve() -> None:
    threading.Thread(target=http.server.ThreadingHTTPServer(("", HTTP_PORT), Pages).serve_forever).start()
    echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    echo.bind(("", UDP_PORT))
    print("ready", flush=True)
    while True:
        data, sender = echo.recvfrom(2048)
        echo.sendto(data, sender)


def browse(address: str) -> None:
    chance = random.Random(3)
    link = http.client.HTTPConnection(address, HTTP_PORT, timeout=20)
    while True:
        for _ in range(chance.randint(1, 6)):
            link.request("GET", f"/{chance.random()}", headers={"Cookie": "c" * 800})
            link.getresponse().read()
        time.sleep(chance.lognormvariate(0.5, 0.7))


def upload(address: str) -> None:
    link = http.client.HTTPConnection(address, HTTP_PORT, timeout=60)
    while True:
        link.request("PUT", "/file", body=b"y" * 4_000_000)
        link.getresponse().read()


def call(address: str, size: str = "160") -> None:
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.connect((address, UDP_PORT))
    line.setblocking(False)
    while True:
        line.send(b"z" * int(size))
        try:
            while line.recv(2048):
                pass
        except BlockingIOError:
            pass
        time.sleep(0.02)


if __name__ == "__main__":
    {"serve": serve, "browse": browse, "upload": upload, "call": call}[sys.argv[1]](*sys.argv[2:])
