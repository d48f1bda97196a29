"""quickstart: collector and agent on this machine, for trying Farhand out: `make run` and `make smoke`.

Starts both as the programs they are, over the real HTTP path on loopback, and stops both when it ends.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess  # noqa: TID251 - starts the two programs, as an operator would
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from . import config as configs
from .access import ACTOR, sign_in_link
from .app import database_url, utc_now
from .config import Config
from .instants import to_ms
from .store import assessments, audit, devices, enrolment, users
from .store.database import migrate, open_engine
from .terminal import QuickstartError, until_stopped

HOST: Final = "127.0.0.1"
PORT: Final = 8470
START_S: Final = 30.0
SHIPPED_POLICY: Final = Path("configs/policy.yaml")
ADMIN: Final = "admin"
DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Loopback is asked directly, whatever proxy the environment names."""
HOUR_MS: Final = 3_600_000


class Site:
    """A folder with a collector's and an agent's configuration and data."""

    def __init__(
        self,
        folder: Path,
        port: int,
        interval_s: float,
        public_port: int | None = None,
        trusted_proxies: Sequence[str] = (),
        *,
        landmarks: bool = False,
        probes_off: Sequence[str] = (),
    ) -> None:
        """
        Args:
            public_port: where laptops reach the collector, if something stands before it; None: at `port`.
            trusted_proxies: whose forwarded addresses the collector believes.
            landmarks: use the shipped landmarks, as the policy says; False: nothing leaves this machine.
            probes_off: kinds that this machine's agent does not measure.
        """
        self.folder = folder.absolute()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.url = f"http://{HOST}:{public_port or port}"
        self.collector_yaml = self.folder / "collector.yaml"
        self.agent_yaml = self.folder / "agent.yaml"
        policy = SHIPPED_POLICY.read_text().replace("interval_s: 300", f"interval_s: {interval_s:g}")
        self._write_once("policy.yaml", policy if landmarks else policy.replace("shipped: true", "shipped: false"))
        self._write(
            self.collector_yaml,
            {
                "listen": {"host": HOST, "port": port},
                "public_urls": [self.url],
                "trusted_proxies": list(trusted_proxies),
                "data_dir": str(self.folder),
                "policy": str(self.folder / "policy.yaml"),
                "log_level": "warning",
            },
        )
        self._write(
            self.agent_yaml,
            {
                "state_dir": str(self.folder / "agent"),
                "run_dir": str(self.folder / "agent-run"),
                "collector": {"url": self.url},
                "probes_off": list(probes_off),
            },
        )
        (self.folder / "agent-run").mkdir(mode=0o700, exist_ok=True)
        self.config: Config = configs.load(self.collector_yaml)

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        path.write_text(json.dumps(content, indent=2) + "\n")  # JSON is YAML

    def _write_once(self, name: str, text: str) -> None:
        path = self.folder / name
        if not path.exists():
            path.write_text(text)

    def collector(self, *arguments: str) -> list[str]:
        """Command line of the collector."""
        return [sys.executable, "-m", "collector", "--config", str(self.collector_yaml), *arguments]

    def agent(self, *arguments: str) -> list[str]:
        """Command line of the agent."""
        return [sys.executable, "-m", "agent", *arguments, "--config", str(self.agent_yaml)]

    def prepare(self) -> tuple[str, str]:
        """Bring the database up to date. Returns (enrolment token, sign-in link)."""
        engine = open_engine(database_url(self.config))
        migrate(engine)
        now_ms = to_ms(utc_now())
        with engine.execution_options(writes=True).begin() as connection:
            _, token = enrolment.create_token(
                connection, now_ms=now_ms, expires_ms=now_ms + HOUR_MS, quota=1, note="quickstart", group="default"
            )
            user = users.user_named(connection, ADMIN) or users.create_user(connection, ADMIN, "admin", None, now_ms)
            _, link = users.issue(
                connection, "link", user_id=user.user_id, now_ms=now_ms, expires_ms=now_ms + 24 * HOUR_MS
            )
            audit.record(connection, at_ms=now_ms, actor=ACTOR, action="quickstart.prepared", subject=ADMIN)
        engine.dispose()
        return token, sign_in_link(self.config, link)

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        """Until the collector answers.

        Raises:
            QuickstartError: it ended, or did not answer in time.
        """
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if process.poll() is not None:
                raise ended("collector", self.folder)
            with contextlib.suppress(OSError), DIRECT.open(f"{self.url}/healthz", timeout=2):
                return
            time.sleep(0.05)
        raise QuickstartError(f"the collector does not answer on {self.url}; see {self.folder / 'collector.log'}")

    def assessment(self) -> bytes | None:
        """The newest assessment of the only device, as JSON; None while there is none."""
        engine = open_engine(database_url(self.config))
        with engine.connect() as connection:
            found = devices.listing(connection, limit=1)
            made = assessments.load_body(connection, found[0].device_id) if found else None
        engine.dispose()
        return made


@contextlib.contextmanager
def program(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs in the background, its output in a file; it is stopped at the end."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ended(name: str, folder: Path) -> QuickstartError:
    """The error for a program that stopped by itself, with the last line that it wrote."""
    log = folder / f"{name}.log"
    last = log.read_text(errors="replace").strip().rpartition("\n")[2]
    return QuickstartError(f"the {name} ended: {last or 'it wrote nothing'} (see {log})")


def require_free(port: int) -> None:
    """Refuse a port on which somebody answers already: it would be taken for the collector.

    Raises:
        QuickstartError: the port is in use, or no port at all.
    """
    if not 0 < port < 65536:
        raise QuickstartError(f"there is no port {port}; choose one from 1 to 65535, such as PORT={PORT}")
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise QuickstartError(
            f"port {port} of {HOST} cannot be used ({os.strerror(error.errno or 0)}): is it running already? Stop what "
            f"listens there, or choose another port, such as PORT={port + 1 if port < 65535 else PORT}"
        ) from error


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def enrol(site: Site, token: str) -> None:
    """Make this machine known to the collector, unless it is.

    Raises:
        QuickstartError: the agent says no.
    """
    status = subprocess.run(site.agent("status", "--json"), capture_output=True, check=False)
    if status.returncode == 0:
        return
    done = subprocess.run(site.agent("enrol", "--url", site.url, "--token", token), capture_output=True, check=False)
    if done.returncode:
        raise QuickstartError(done.stderr.decode(errors="replace").strip())


def run(folder: Path, port: int, *, landmarks: bool) -> None:
    """Collector and agent until Ctrl-C.

    Args:
        landmarks: let the agent time connections to the shipped landmarks.

    Raises:
        QuickstartError: one of them did not start, or ended by itself.
    """
    require_free(port)
    site = Site(folder, port, interval_s=30, landmarks=landmarks)
    token, link = site.prepare()
    stay(site, token, link, "This machine is enrolled and reports every 30 s. Ctrl-C stops both.")


def stay(site: Site, token: str, link: str, words: str, tick: Callable[[], None] = lambda: None) -> None:
    """Run the collector and this machine's agent until Ctrl-C.

    Args:
        words: what is said once both run, below the address and the sign-in link.
        tick: called before that, and twice a second from then on.

    Raises:
        QuickstartError: one of them did not start, or ended by itself.
    """
    with program(site.collector("serve"), site.folder / "collector.log") as process:
        site.wait(process)
        enrol(site, token)
        with program(site.agent("run"), site.folder / "agent.log") as agent:
            tick()
            print(f"Collector: {site.url}   (data, logs and configuration: {site.folder})")
            print(f"Sign in, once, within 24 hours: {link}")
            print(words, flush=True)
            while process.poll() is None and agent.poll() is None:
                time.sleep(0.5)
                tick()
            raise ended("agent" if process.poll() is None else "collector", site.folder)


def smoke(folder: Path) -> bytes:
    """One real report of this machine through the real path. Returns the assessment as JSON.

    Raises:
        QuickstartError: no assessment came of it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    site = Site(folder, free_port(), interval_s=300)
    token, _ = site.prepare()
    with program(site.collector("serve"), site.folder / "collector.log") as process:
        site.wait(process)
        enrol(site, token)
        done = subprocess.run(site.agent("cycle", "--occasion", "started"), capture_output=True, check=False)
        if done.returncode:
            raise QuickstartError(done.stderr.decode(errors="replace").strip())
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            made = site.assessment()
            if made is not None:
                return made
            time.sleep(0.1)
    raise QuickstartError(f"no assessment within {START_S:.0f} s; see {site.folder / 'collector.log'}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of `make run` and `make smoke`."""
    options = argparse.ArgumentParser(prog="python -m collector.quickstart", description=__doc__)
    options.add_argument("--smoke", action="store_true", help="one report, its assessment as JSON, and out")
    options.add_argument("--folder", type=Path, default=Path("var"))
    options.add_argument("--port", type=int, default=PORT)
    options.add_argument(
        "--no-landmarks", action="store_true", help="no connection leaves this machine; --smoke never makes one"
    )
    chosen = options.parse_args(arguments)

    def work() -> None:
        if chosen.smoke:
            sys.stdout.write(smoke(chosen.folder / "smoke").decode() + "\n")
        else:
            run(chosen.folder, chosen.port, landmarks=not chosen.no_landmarks)

    return until_stopped("quickstart", work)


if __name__ == "__main__":
    sys.exit(main())
