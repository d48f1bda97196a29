"""programs: the real collector and the real agent on hosts of a delay line, as their administrators start them."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trustme
import yaml

from agent.spool import unpack
from agent.wire.report import Report
from collector.store import users
from collector.store.database import open_engine
from tests.farm.delay_line import DelayLine

ROOT: Final = Path(__file__).parents[2]
PORT: Final = 8470
READY_WITHIN_S: Final = 30.0
INTERVAL_S: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """A collector that runs on a host of the line."""

    line: DelayLine
    host: str
    address: str
    folder: Path

    @property
    def url(self) -> str:
        return f"https://{self.address}:{PORT}"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def command(self, *arguments: str) -> str:
        """Run one of its commands; what it prints."""
        return _run(self.line, self.host, [*self.program, *arguments], self.folder).strip()

    @property
    def program(self) -> list[str]:
        return [sys.executable, "-m", "collector", "--config", str(self.folder / "collector.yaml")]

    def get(self, path: str) -> Any:
        """Ask over REST, from the collector's own host, as a program with a token that may read.

        Raises:
            RuntimeError: the answer is not a 200.
        """
        status, body = self.ask(path, {"Authorization": f"Bearer {self.token()}"})
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {body!r}")
        return json.loads(body)

    def ask(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """One request: status and body."""
        trusted = ssl.create_default_context(cafile=str(self.ca))
        with self.line.inside(self.host):
            link = http.client.HTTPSConnection(self.address, PORT, timeout=10, context=trusted)
            link.request("GET", path, headers=headers)
            answer = link.getresponse()
            body = answer.read()
            link.close()
        return answer.status, body

    def token(self) -> str:
        """A new API token, made as the console makes one, valid for a minute."""
        now_ms = time.time_ns() // 1_000_000
        engine = open_engine(f"sqlite:///{self.folder / 'data' / 'collector.sqlite'}")
        with engine.execution_options(writes=True).begin() as connection:
            _, secret = users.issue(
                connection,
                "api",
                user_id=None,
                now_ms=now_ms,
                expires_ms=now_ms + 60_000,
                scopes=("alerts:read", "devices:read", "rules:read"),
            )
        engine.dispose()
        return secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent that runs on a host of the line."""

    line: DelayLine
    host: str
    folder: Path
    device_id: str

    def measures(self, kind: str) -> Any:
        """What it measures right now: the data of one kind."""
        said = json.loads(_run(self.line, self.host, [*_agent(self.folder), "once", "--json"], self.folder))
        return next(each["data"] for each in said["measurements"] if each["kind"] == kind)

    def delivered(self) -> Report | None:
        """The report that the collector took last."""
        try:
            return unpack((self.folder / "state" / "spool" / "last.report").read_bytes())
        except FileNotFoundError:
            return None


@contextmanager
def running_collector(
    line: DelayLine,
    host: str,
    address: str,
    folder: Path,
    *,
    allowed_tools: list[str],
    timing: dict[str, object] | None = None,
) -> Iterator[Collector]:
    """A collector with TLS under a certificate of its own authority, which asks for a report every 5 s."""
    collector = Collector(line=line, host=host, address=address, folder=folder)
    folder.mkdir(parents=True)
    authority = trustme.CA()
    certificate = authority.issue_cert(address)
    authority.cert_pem.write_to_path(str(collector.ca))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "certificate.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    _write(
        folder / "policy.yaml",
        {
            "allowed_tools": allowed_tools,
            "groups": {"default": {"interval_s": INTERVAL_S, "timing": timing or {}}},
            "landmarks": {"shipped": False},
        },
    )
    _write(
        folder / "collector.yaml",
        {
            "listen": {"host": address, "port": PORT},
            "public_urls": [collector.url],
            "data_dir": str(folder / "data"),
            "policy": str(folder / "policy.yaml"),
            "tls": {"certificate": str(folder / "certificate.pem"), "key": str(folder / "key.pem")},
        },
    )
    serve = [*collector.program, "serve"]
    with (folder / "log").open("w") as log, line.running(host, serve, **_logged(log, folder)) as process:
        end = time.monotonic() + READY_WITHIN_S
        while not _answers(collector):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the collector does not answer; it said: {(folder / 'log').read_text()}")
            time.sleep(0.2)
        yield collector


@contextmanager
def running_agent(line: DelayLine, host: str, folder: Path, collector: Collector) -> Iterator[Agent]:
    """An agent that was enrolled on a host and runs there."""
    folder.mkdir(parents=True)
    _write(folder / "agent.yaml", {"state_dir": str(folder / "state"), "run_dir": str(folder / "run")})
    token = collector.command("token", "create")
    enrol = ["enrol", "--url", collector.url, "--ca", str(collector.ca), "--token", token]
    said = _run(line, host, [*_agent(folder), *enrol], folder)
    with (folder / "log").open("w") as log, line.running(host, [*_agent(folder), "run"], **_logged(log, folder)):
        yield Agent(line=line, host=host, folder=folder, device_id=said.split()[-1])


def _agent(folder: Path) -> list[str]:
    return [sys.executable, "-m", "agent", "--config", str(folder / "agent.yaml")]


def _answers(collector: Collector) -> bool:
    try:
        return collector.ask("/agent/v1/settings", {})[0] < 500
    except OSError:
        return False


def _run(line: DelayLine, host: str, command: list[str], home: Path) -> str:
    return line.run(host, command, cwd=ROOT, env=_environment(home))


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def _environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8"}


def _logged(log: Any, home: Path) -> dict[str, Any]:
    streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
    return {**streams, "cwd": ROOT, "env": _environment(home)}
