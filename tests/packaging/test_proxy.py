"""The sample proxies, in front of the real collector: a laptop enrols and reports through them over TLS."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest
import trustme

from collector import quickstart
from collector.quickstart import Site
from tests.packaging.built import ROOT
from tests.packaging.container import until

pytestmark = pytest.mark.slow
SAMPLES: Final = ROOT / "packaging" / "collector"
LAPTOP: Final = "::1"
"""Laptops come over IPv6, and the proxy asks over IPv4: so the two addresses can be told apart."""


def nginx(folder: Path, listen: int, behind: int) -> list[str]:
    sample = (SAMPLES / "nginx.conf").read_text()
    sample = sample.replace("listen 443 ssl;", "").replace("[::]:443", f"[{LAPTOP}]:{listen}")
    sample = sample.replace("127.0.0.1:8470", f"127.0.0.1:{behind}").replace("/etc/farhand", str(folder))
    (folder / "farhand.conf").write_text(sample.replace("farhand.example.org", f"[{LAPTOP}]"))
    paths = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if shutil.which("id") and Path("/root").stat().st_uid == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} pid {folder}/nginx.pid; daemon off; error_log stderr; events {{}}"
        f" http {{ access_log off; {paths} include {folder}/farhand.conf; }}"
    )
    return ["nginx", "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def caddy(folder: Path, listen: int, behind: int) -> list[str]:
    sample = (SAMPLES / "Caddyfile").read_text()
    sample = sample.replace("{\n\tservers", "{\n\tadmin off\n\tauto_https off\n\tservers", 1)
    sample = sample.replace("farhand.example.org", f"https://[{LAPTOP}]:{listen}").replace("/etc/farhand", str(folder))
    (folder / "Caddyfile").write_text(sample.replace("127.0.0.1:8470", f"127.0.0.1:{behind}"))
    homes = [f"{name}={folder}" for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME")]
    return ["env", *homes, "caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


class Behind(Site):
    """A collector that is reached through a proxy alone."""

    def __init__(self, folder: Path, listen: int, behind: int) -> None:
        super().__init__(folder, behind, interval_s=300)
        self.public_url = f"https://[{LAPTOP}]:{listen}"
        written = json.loads(self.collector_yaml.read_text())
        self._write(
            self.collector_yaml, {**written, "public_urls": [self.public_url], "trusted_proxies": ["127.0.0.1/32"]}
        )


def free_port_v6() -> int:
    with closing(socket.socket(socket.AF_INET6)) as probe:
        probe.bind((LAPTOP, 0))
        return int(probe.getsockname()[1])


@contextmanager
def through(proxy: Callable[[Path, int, int], list[str]], folder: Path) -> Iterator[tuple[Behind, ssl.SSLContext]]:
    """The collector behind a proxy, both running."""
    if not shutil.which(proxy.__name__):
        pytest.skip(f"{proxy.__name__} is not installed; `make system` installs it")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert(LAPTOP)
    certificate.private_key_pem.write_to_path(folder / "tls.key")
    certificate.cert_chain_pems[0].write_to_path(folder / "tls.crt")
    listen, behind = free_port_v6(), quickstart.free_port()
    site = Behind(folder / "site", listen, behind)
    trust = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    site.prepare()
    with (
        quickstart.program(site.collector("serve"), folder / "collector.log") as collector,
        quickstart.program(proxy(folder, listen, behind), folder / "proxy.log") as process,
    ):
        site.wait(collector)

        def answers() -> bool:
            assert process.poll() is None, (folder / "proxy.log").read_text()
            try:
                return status(site, trust, "/healthz") == 200
            except urllib.error.URLError:
                return False

        until(answers)
        yield site, trust


def status(site: Behind, trust: ssl.SSLContext, path: str, body: bytes | None = None, **headers: str) -> int:
    """What a request through the proxy is answered with."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    try:
        with opener.open(urllib.request.Request(site.public_url + path, body, headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def egress(site: Behind) -> list[str]:
    with closing(sqlite3.connect(site.folder / "collector.sqlite")) as connection:
        return [row[0] for row in connection.execute("SELECT egress FROM streams")]


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_a_laptop_enrols_and_reports_through_the_proxy_and_is_seen_where_it_is(
    proxy: Callable[[Path, int, int], list[str]], tmp_path: Path
) -> None:
    with through(proxy, tmp_path) as (site, _):
        token, _ = site.prepare()
        enrolled = subprocess.run(
            site.agent("enrol", "--url", site.public_url, "--ca", str(tmp_path / "ca.pem"), "--token", token),
            capture_output=True,
            text=True,
            check=False,
        )
        # agent.yaml of a site names the collector itself: here the one that enrolment was given is to be used.
        site._write(site.agent_yaml, {**json.loads(site.agent_yaml.read_text()), "collector": {}})
        assert enrolled.returncode == 0, enrolled.stderr
        reported = subprocess.run(site.agent("cycle"), capture_output=True, text=True, check=False)

        assert reported.returncode == 0, reported.stderr
        assert egress(site) == [LAPTOP]


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_nobody_chooses_the_address_that_the_collector_sees(
    proxy: Callable[[Path, int, int], list[str]], tmp_path: Path
) -> None:
    with through(proxy, tmp_path) as (site, trust):
        claimed = {"X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.7", "Origin": site.public_url}
        assert status(site, trust, "/sign-in", b"link=fhl_unknown", **claimed) == 401
        told = (tmp_path / "collector.log").read_text()
        assert "sign-in refused: from ::/64" in told
        assert "198.51.100.7" not in told
        assert status(site, trust, "/metrics") == 401  # which needs no token on the machine itself


def test_nginx_keeps_out_what_is_too_large(tmp_path: Path) -> None:
    """Caddy passes on what it reads, so there the collector answers first: it refuses by the headers alone."""
    with through(nginx, tmp_path) as (site, trust):
        assert status(site, trust, "/agent/v1/reports", bytes(600_000)) == 413
        assert status(site, trust, "/agent/v1/reports", bytes(300_000)) == 401
