"""`geo update`: packages from a registry, checked; whatever goes wrong changes nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from collector import cli
from collector.geo.locator import Locator
from collector.geo.registry import UpdateError, _Dist, _Version
from collector.geo.verbs import status_lines, update_lines
from collector.instants import from_ms
from collector.metrics import Metrics

from .packages import ASN, CITY, COUNTRY, all_packages, tarball, write_packages


class Registry:
    """An npm registry on loopback, and how it misbehaves."""

    def __init__(self) -> None:
        self.packages = all_packages()
        self.integrity: dict[str, str] = {}
        self.cut: set[str] = set()
        self.moved: dict[str, str] = {}
        self.named: dict[str, str] = {}
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.answer(self)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote(handler.path).strip("/")
        package = path.removesuffix("/latest").removesuffix(".tgz")
        content = self.packages.get(package)
        if content is None:
            handler.send_error(404)
            return
        announced = len(content)
        if path.endswith("/latest"):
            digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
            dist = {
                "tarball": self.moved.get(package, f"{self.url}/{package}.tgz"),
                "integrity": self.integrity.get(package, f"sha512-{digest}"),
            }
            name = self.named.get(package, package)
            content = json.dumps({"name": name, "version": "2.3.2099010203", "dist": dist}).encode()
            announced = len(content)
        elif package in self.cut:
            content = content[: len(content) // 2]
        handler.send_response(200)
        handler.send_header("Content-Length", str(announced))
        handler.end_headers()
        handler.wfile.write(content)


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_an_update_is_taken_up_by_a_collector_that_runs(tmp_path: Path, registry: Registry) -> None:
    locator = Locator(tmp_path, Metrics())
    assert locator.locate("100.0.0.1").network != "Example Cable, Inc."
    told = list(update_lines(tmp_path, registry.url, None))
    assert f"{COUNTRY} 2.3.2099010203" in told
    assert "dbip: country, region; data of 2099-01-02; CC BY 4.0" in told
    assert locator.refresh()
    assert locator.locate("100.0.0.1").network == "Example Cable, Inc."
    assert "2099-01-02" in locator.version
    assert not locator.refresh()


def _wrong_integrity(registry: Registry) -> None:
    registry.integrity[CITY] = "sha512-" + base64.b64encode(b"x" * 64).decode()


def _no_sha512(registry: Registry) -> None:
    registry.integrity[CITY] = "sha1-aaaa"


def _cut(registry: Registry) -> None:
    registry.cut.add(ASN)


def _traversal(registry: Registry) -> None:
    registry.packages[CITY] = tarball(CITY, {"../../../tmp/evil": b"x"})


def _gone(registry: Registry) -> None:
    del registry.packages[ASN]


def _elsewhere(registry: Registry) -> None:
    registry.moved[CITY] = "http://192.0.2.1/x.tgz"


def _local_file(registry: Registry) -> None:
    registry.moved[CITY] = "file:///etc/passwd"


def _another(registry: Registry) -> None:
    registry.named[CITY] = "evil"


@pytest.mark.parametrize(
    ("goes_wrong", "problem"),
    [
        (_wrong_integrity, "other bytes than the registry announced"),
        (_no_sha512, "announces no sha512 digest"),
        (_cut, "cut off|cannot be downloaded"),
        (_traversal, r"holds '../../../tmp/evil'"),
        (_gone, "answered 404"),
        (_elsewhere, "expected https://"),
        (_local_file, "expected https://"),
        (_another, "is about 'evil'"),
    ],
)
def test_an_update_that_goes_wrong_changes_nothing(
    tmp_path: Path, registry: Registry, goes_wrong: Any, problem: str
) -> None:
    list(update_lines(tmp_path, registry.url, None))
    file = tmp_path / "baseline" / "baseline.zip"
    before = file.read_bytes()
    goes_wrong(registry)
    with pytest.raises(UpdateError, match=problem):
        list(update_lines(tmp_path, registry.url, None))
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["baseline.zip"]


@pytest.mark.parametrize("url", ["http://registry.example.org", "ftp://127.0.0.1", "registry"])
def test_a_registry_must_be_reached_by_https(tmp_path: Path, url: str) -> None:
    with pytest.raises(UpdateError, match="begins with https://"):
        list(update_lines(tmp_path, url, None))
    assert list(tmp_path.iterdir()) == []


def test_a_registry_elsewhere_sends_nobody_to_what_listens_on_this_machine(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _Version(
        name=COUNTRY, version="1", dist=_Dist(tarball=f"{registry.url}/{COUNTRY}.tgz", integrity="sha512-")
    )
    monkeypatch.setattr("collector.geo.registry._newest", lambda *_: found)
    with pytest.raises(UpdateError, match="sends this machine to itself"):
        list(update_lines(tmp_path, "https://registry.example.org", None))


def test_what_an_update_that_was_cut_off_left_goes_with_the_next(tmp_path: Path, registry: Registry) -> None:
    folder = tmp_path / "baseline"
    folder.mkdir()
    (folder / ".new-half").write_bytes(b"half a baseline")
    list(update_lines(tmp_path, registry.url, None))
    assert [path.name for path in folder.iterdir()] == ["baseline.zip"]


def test_an_address_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(UpdateError, match="not an address"):
        list(update_lines(tmp_path, "https://[", None))


def test_a_registry_that_is_not_there_is_told(tmp_path: Path, registry: Registry) -> None:
    registry.server.shutdown()
    registry.server.server_close()
    with pytest.raises(UpdateError, match="cannot be downloaded"):
        list(update_lines(tmp_path, registry.url, None))


def test_a_machine_without_internet_updates_from_a_folder(tmp_path: Path) -> None:
    folder = write_packages(tmp_path / "npm", all_packages())
    list(update_lines(tmp_path / "geo", "https://nowhere.invalid", folder))
    assert Locator(tmp_path / "geo", Metrics()).locate("100.0.0.1").network == "Example Cable, Inc."


def test_data_older_than_the_shipped_stays_out_of_use(tmp_path: Path) -> None:
    version = "2.3.2020010203"
    folder = write_packages(tmp_path / "npm", all_packages(version), version)
    assert "older than the data that came with" in list(update_lines(tmp_path / "geo", "", folder))[-1]
    assert Locator(tmp_path / "geo", Metrics()).locate("73.1.2.3").country == "US"


def test_a_baseline_that_was_damaged_is_told_and_the_shipped_one_used(tmp_path: Path) -> None:
    (tmp_path / "baseline").mkdir()
    (tmp_path / "baseline" / "baseline.zip").write_bytes(b"PK damaged")
    locator = Locator(tmp_path, Metrics())
    assert locator.locate("73.1.2.3").country == "US"
    assert "geo update again" in locator.problems["baseline.zip"]


def test_the_verbs_of_the_command_line(tmp_path: Path, registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "collector.yaml"
    config.write_text(f"geo: {{directory: {tmp_path / 'geo'}}}\n")
    assert cli.run(["--config", str(config), "geo", "update", "--registry", registry.url]) == 0
    assert cli.run(["--config", str(config), "geo", "status"]) == 0
    assert "IP Geolocation by DB-IP <https://db-ip.com>" in capsys.readouterr().out
    assert cli.run(["--config", str(config), "geo", "status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {each["date"] for each in found["sources"]} == {"2099-01-02"}
    assert found["warnings"] == []
    assert cli.run(["--config", str(config), "geo", "update", "--registry", "ftp://x"]) == 1
    assert capsys.readouterr().err.startswith("farhand-collector geo: ftp://x: expected")


def test_status_without_anything_of_its_own(tmp_path: Path) -> None:
    told = "\n".join(status_lines(tmp_path / "none", from_ms(1_800_000_000_000).date(), as_json=False))
    assert "warning: dbip:" in told
