"""A laptop's whole life with the package: installed, enrolled, put to sleep, upgraded, rebooted, full, removed, purged.

One container and one collector for all of it, in this order, as on a real laptop. What arrived is asked of the
collector.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from agent import __version__
from collector import quickstart
from tests.packaging import built, container
from tests.packaging.container import LAPTOP, SERVER, Container, until
from tests.packaging.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.container, pytest.mark.timeout(400)]
PREVIOUS: Final = "0.0.9"
UNIT: Final = "farhand-agent.service"
BY_OTHERS: Final = re.compile(
    r"^/(proc|sys|dev|run|tmp|root)(/|$)|^/var/(log|cache|lib/(dpkg|systemd|apt))/|__pycache__|^/fill$"
    r"|^/etc/(\.pwd\.lock|machine-id|resolv\.conf|(passwd|group|shadow|gshadow|subuid|subgid)-?)$"
)
"""What other programs keep anew: logs, the package manager's lists, backups of the list of users."""


def test_a_laptop_lives_with_the_package_from_its_installation_to_its_purge(tmp_path: Path) -> None:
    if reason := container.why_not():
        pytest.skip(reason)
    old, new = packages(tmp_path)
    with ExitStack() as ends:
        try:
            laptop, namespace = ends.enter_context(container.booted(tmp_path))
        except container.UnbootableError as error:
            pytest.skip(str(error))
        server = Server(tmp_path / "server", namespace)
        with server.serving():
            before = files(laptop)
            it_installs_and_waits(laptop, old)
            with somebody_controls_it(laptop, server, tmp_path):
                device = it_enrols_and_reports(laptop, server)
                its_sandbox_hides_nobody_who_controls_the_laptop(server)
            it_can_change_nothing_but_its_own(laptop)
            it_counts_input_for_the_agent_alone(laptop)
            it_says_last_words_before_sleep_and_goes_on(laptop, server)
            it_is_upgraded_in_place(laptop, server, new, device)
            it_can_go_back_to_the_previous_version(laptop, server, old, new)
            it_is_compiled_anew_for_another_python(laptop)
            it_survives_a_reboot(laptop, server)
            it_survives_a_full_disk(laptop, server)
            it_stops_when_it_is_removed_and_keeps_its_key(laptop, server)
            a_purge_leaves_nothing(laptop, before)
            it_enrols_by_itself_with_a_token_file(laptop, server, new)


def packages(folder: Path) -> tuple[Path, Path]:
    """The previous build and the present one, put where the container finds them later."""
    source = built.copy_of_the_source(folder / "source")
    new = built.build(source, folder / "new")["deb"]
    built.as_version(source, PREVIOUS)
    (source / "agent" / "given_up.py").write_text('"""given_up: a module that the next version no longer has."""\n')
    return built.build(source, folder / "old")["deb"], new


def files(laptop: Container) -> set[str]:
    found = laptop.run("find", "/", "-xdev").splitlines()
    return {path for path in found if not BY_OTHERS.search(path)}


def install(laptop: Container, deb: Path) -> None:
    shutil.copy(deb, laptop.root / "root" / deb.name)
    laptop.run("dpkg", "-i", f"/root/{deb.name}")
    (laptop.root / "root" / deb.name).unlink()


def stream(server: Server) -> dict[str, Any]:
    """Where the newest stream of reports stands."""
    names = ("agent_version", "occasion", "last_sequence", "dropped")
    rows = server.rows(f"SELECT {', '.join(names)} FROM streams ORDER BY stream_id DESC LIMIT 1")
    return dict(zip(names, rows[0], strict=True)) if rows else dict.fromkeys(names, 0)


def it_installs_and_waits(laptop: Container, deb: Path) -> None:
    install(laptop, deb)

    assert laptop.run("systemctl", "is-enabled", UNIT).strip() == "enabled"
    assert laptop.run("systemctl", "is-active", UNIT).strip() == "active"
    until(lambda: "not enrolled" in laptop.run("journalctl", "--unit", UNIT))
    assert PREVIOUS in laptop.run("farhand-agent", "--version")


def it_enrols_and_reports(laptop: Container, server: Server) -> str:
    shutil.copy(server.folder / "ca.pem", laptop.root / "etc" / "farhand" / "ca.pem")
    command = ["farhand-agent", "enrol", "--url", server.url, "--ca", "/etc/farhand/ca.pem", "--token-file", "-"]
    said = laptop.run(*command, given=server.token)
    laptop.run("systemctl", "restart", UNIT)  # or within a minute, by itself

    (device,) = until(lambda: [row for row in server.ask("/api/v1/devices")["items"] if row["last_seen"]])
    assert device["device_id"] in said
    assert stream(server)["agent_version"] == PREVIOUS
    assert device["hostname"] == laptop.run("cat", "/proc/sys/kernel/hostname").strip()
    examined = laptop.run("farhand-agent", "doctor")
    assert "problem" not in examined
    assert re.search(r"^works +permissions", examined, re.MULTILINE)
    owners = laptop.run("find", "/var/lib/farhand-agent", "/run/farhand-agent", "-printf", "%u %m %p\n").splitlines()
    assert {line.split()[0] for line in owners} == {"farhand-agent"}
    assert {line.split()[1] for line in owners} <= {"700", "600"}
    return str(device["device_id"])


def it_counts_input_for_the_agent_alone(laptop: Container) -> None:
    """A socket and no process, until the agent's user asks; then a process that can see no network."""
    helper = "farhand-agent-input"
    assert laptop.run("systemctl", "is-active", f"{helper}.socket").strip() == "active"
    assert laptop.run("systemctl", "is-active", f"{helper}.service", check=False).strip() == "inactive"
    assert re.search(r"^works +input helper", laptop.run("farhand-agent", "doctor"), re.MULTILINE)
    ask = (
        "from agent.host.input_helper import ask_helper as ask; print(ask('/run/farhand-agent-input/input.sock', 5.0))"
    )
    python = ("/usr/lib/farhand-agent/bin/python", "-I", "-c", ask)
    assert laptop.run("runuser", "-u", "nobody", "--", *python, check=False) == ""
    assert '"watched_minutes": 0' in laptop.run("runuser", "-u", "farhand-agent", "--", *python)
    status = laptop.run("cat", f"/proc/{laptop.shown(helper, 'MainPID')}/status")
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        assert line in status
    assert "Uid:\t0" not in status
    links = laptop.run("cat", f"/proc/{laptop.shown(helper, 'MainPID')}/net/dev").splitlines()
    assert [line.split(":")[0].strip() for line in links[2:]] == ["lo"]
    until(lambda: laptop.run("systemctl", "is-active", f"{helper}.service", check=False).strip() == "inactive")


def it_can_change_nothing_but_its_own(laptop: Container) -> None:
    """What the sandbox holds against somebody who took over the service."""
    main = laptop.shown(UNIT, "MainPID")
    status = laptop.run("cat", f"/proc/{main}/status")
    for line in ("CapEff:\t0000000000080004", "CapBnd:\t0000000000080004", "NoNewPrivs:\t1", "Seccomp:\t2"):
        assert line in status
    assert "Uid:\t0" not in status
    # As root, which the service is not, so that only the sandbox itself says no.
    attempt = (
        "for d in / /usr /usr/bin /etc /home /root /opt /boot /srv /var /var/lib /sys /proc/sys/kernel"
        ' /var/lib/farhand-agent /var/tmp; do touch "$d/probe" 2>/dev/null && echo "$d"; done;'
        " cp /bin/true /var/lib/farhand-agent/probe; /var/lib/farhand-agent/probe 2>/dev/null && echo started;"
        " cat /etc/shadow 2>/dev/null; rm -f /var/lib/farhand-agent/probe /var/tmp/probe"
    )
    done = laptop.run("nsenter", "--target", main, "--mount", "sh", "-c", attempt)
    assert done.split() == ["/var/lib/farhand-agent", "/var/tmp"]


@contextmanager
def somebody_controls_it(laptop: Container, server: Server, folder: Path) -> Iterator[None]:
    """A session that another user's program holds, and whose unit lies in a home folder that is closed to others."""
    unit = laptop.root / "home" / "ann" / ".config" / "systemd" / "user" / "x11vnc.service"
    unit.parent.mkdir(parents=True)
    unit.touch()
    laptop.run("chmod", "700", "/home/ann", "/home/ann/.config")
    shutil.copy(laptop.root / "usr" / "bin" / "python3.11", laptop.root / "usr" / "local" / "bin" / "x11vnc")
    serve = "import socket, time; s = socket.create_server(('0.0.0.0', 5900)); c, _ = s.accept(); time.sleep(999)"
    laptop.run("systemd-run", "--unit=screen", "--uid=nobody", "/usr/local/bin/x11vnc", "-c", serve)
    until(lambda: ":170C" in laptop.run("cat", "/proc/net/tcp"))
    control = f"import socket, time; s = socket.create_connection(('{LAPTOP}', 5900)); time.sleep(999)"
    with quickstart.program(server.inside(sys.executable, "-c", control), folder / "control.log"):
        until(lambda: laptop.run("cat", "/proc/net/tcp").count(":170C") > 1)
        yield
    laptop.run("systemctl", "stop", "screen")
    laptop.run("rm", "-r", "/home/ann", "/usr/local/bin/x11vnc")


def its_sandbox_hides_nobody_who_controls_the_laptop(server: Server) -> None:
    until(lambda: server.rows("SELECT 1 FROM signals WHERE kind = 'remote_sessions'"))
    (tool,) = server.measured("remote_tools")["tools"]
    assert (tool["tool"], tool["running"], tool["listening"]) == ("x11vnc", True, [5900])
    assert {"process:x11vnc", "unit:x11vnc.service"} <= set(tool["evidence"])
    (session,) = server.measured("remote_sessions")["sessions"]
    assert (session["tool"], session["peer_address"]) == ("x11vnc", SERVER)
    assert session["min_rtt_ms"] is not None


def it_says_last_words_before_sleep_and_goes_on(laptop: Container, server: Server) -> None:
    assert "farhand-agent-sleep.service" in laptop.run("systemctl", "list-dependencies", "--plain", "sleep.target")
    running = laptop.shown(UNIT, "MainPID")

    laptop.run("systemctl", "start", "farhand-agent-sleep.service")  # sleep.target cannot be started by hand

    assert stream(server)["occasion"] == "stopping"
    assert laptop.shown(UNIT, "MainPID") == running
    until(lambda: stream(server)["occasion"] == "scheduled", 60)


def it_is_upgraded_in_place(laptop: Container, server: Server, deb: Path, device: str) -> None:
    settings = laptop.root / "etc" / "farhand" / "agent.yaml"
    settings.write_text(settings.read_text() + "# our own line\n")

    install(laptop, deb)

    until(lambda: stream(server)["agent_version"] == __version__)
    assert [row["device_id"] for row in server.ask("/api/v1/devices")["items"]] == [device]
    assert server.rows("SELECT count(*) FROM streams") == [(1,)]
    assert "# our own line" in settings.read_text()
    assert not list(laptop.root.glob("usr/lib/farhand-agent/site/agent/**/given_up*"))


def it_can_go_back_to_the_previous_version(laptop: Container, server: Server, old: Path, new: Path) -> None:
    for deb, version in ((old, PREVIOUS), (new, __version__)):
        install(laptop, deb)
        until(lambda version=version: stream(server)["agent_version"] == version)
    assert server.rows("SELECT count(*) FROM streams") == [(1,)]


def it_is_compiled_anew_for_another_python(laptop: Container) -> None:
    """As when the distribution is upgraded: without compiled modules every cycle would compile all of them."""
    laptop.run("find", "/usr/lib/farhand-agent", "-name", "*.pyc", "-delete")
    laptop.run("dpkg-trigger", "--by-package=python3-minimal", "/usr/bin/python3")
    laptop.run("dpkg", "--triggers-only", "farhand-agent")
    assert list(laptop.root.glob("usr/lib/farhand-agent/site/agent/__pycache__/cli.cpython-3*.pyc"))


def it_survives_a_reboot(laptop: Container, server: Server) -> None:
    laptop.shut_down()
    told = stream(server)
    assert told["occasion"] == "stopping"

    laptop.boot()

    until(lambda: stream(server)["occasion"] == "started")
    assert stream(server)["last_sequence"] > told["last_sequence"]
    assert stream(server)["dropped"] == 0


def it_survives_a_full_disk(laptop: Container, server: Server) -> None:
    running = laptop.shown(UNIT, "MainPID")
    laptop.run("sh", "-c", "cat /dev/zero >/fill", check=False)
    assert laptop.run("df", "--output=avail", "/").split()[-1] == "0"
    before = stream(server)["last_sequence"]

    until(lambda: "given up" in laptop.run("journalctl", "--unit", UNIT), 60)
    assert laptop.run("systemctl", "is-active", UNIT).strip() == "active"
    laptop.run("rm", "/fill")

    until(lambda: stream(server)["last_sequence"] > before, 60)
    assert (laptop.shown(UNIT, "MainPID"), laptop.shown(UNIT, "NRestarts")) == (running, "0")
    assert server.rows("SELECT count(*) FROM streams") == [(1,)]


def it_stops_when_it_is_removed_and_keeps_its_key(laptop: Container, server: Server) -> None:
    laptop.run("dpkg", "--remove", "farhand-agent")

    assert stream(server)["occasion"] == "stopping"
    assert laptop.run("systemctl", "is-active", UNIT, check=False).strip() == "inactive"
    assert not (laptop.root / "usr" / "lib" / "farhand-agent").exists()
    assert (laptop.root / "var" / "lib" / "farhand-agent" / "identity.json").exists()
    assert (laptop.root / "etc" / "farhand" / "agent.yaml").exists()


def a_purge_leaves_nothing(laptop: Container, before: set[str]) -> None:
    (laptop.root / "etc" / "farhand" / "ca.pem").unlink()  # the administrator's own file

    laptop.run("dpkg", "--purge", "farhand-agent")

    assert files(laptop) - before == set()
    assert "farhand" not in (laptop.root / "etc" / "passwd").read_text()
    assert "farhand" not in (laptop.root / "etc" / "group").read_text()
    assert "farhand" not in laptop.run("systemctl", "list-unit-files")
    assert "farhand" not in laptop.run("find", "/var/lib/systemd", "/run/farhand-agent", check=False)


def it_enrols_by_itself_with_a_token_file(laptop: Container, server: Server, deb: Path) -> None:
    """As a tool for fleets does it: package, configuration, token, and nobody types anything."""
    install(laptop, deb)
    shutil.copy(server.folder / "ca.pem", laptop.root / "etc" / "farhand" / "ca.pem")
    settings = laptop.root / "etc" / "farhand" / "agent.yaml"
    text = settings.read_text().replace("url: null", f"url: {server.url}")
    settings.write_text(text.replace("ca_file: null", "ca_file: /etc/farhand/ca.pem", 1))
    token = "/var/lib/farhand-agent/enrolment-token"
    laptop.run("install", "-m", "600", "-o", "farhand-agent", "/dev/stdin", token, given=server.token)

    laptop.run("systemctl", "restart", UNIT)

    until(lambda: len(server.ask("/api/v1/devices")["items"]) == 2)
    until(lambda: not (laptop.root / token[1:]).exists())
