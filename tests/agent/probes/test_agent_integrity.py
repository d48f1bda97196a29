"""agent_integrity, on laptops whose agent came from a package, and on some where somebody laid hands on it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import PurePath

import pytest

import agent
from agent.host import Standstill
from agent.probe import Given
from agent.probes import agent_integrity
from agent.probes.agent_integrity import SITE
from agent.wire.signals import AgentIntegrity
from tests.fakes import NOON, FakeHost

FILES = {"agent/cli.py": b"import sys\n", "agent/probes/clock.py": b"CLOCK = 1\n", "msgspec/_core.so": b"\x7fELF"}
LINKED = "/usr/lib/farhand-agent/site"
"""To where the packages for Linux and macOS link the folder of each Python's libraries."""
STATUS = "Name:\tpython\nPPid:\t77\nTracerPid:\t0\n"


def manifest(files: Mapping[str, bytes], version: str = agent.__version__) -> str:
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in sorted(files.items())]
    return "\n".join([f"farhand-agent {version}", *lines]) + "\n"


def packaged(
    changed: Mapping[str, bytes] | None = None, listed: str | None = None, site: str = LINKED, **more: object
) -> FakeHost:
    """A laptop on which the package's files lie, some of them replaced or put beside them."""
    files: dict[str, str | bytes] = {f"{site}/{name}": data for name, data in (FILES | (changed or {})).items()}
    files |= {f"{PurePath(site).parent}/manifest.sha256": listed if listed is not None else manifest(FILES)}
    files |= {"/proc/self/status": STATUS, "/proc/77/status": STATUS, "/proc/self/environ": b"PATH=/usr/bin\0"}
    files |= {"/etc/farhand/agent.yaml": "collector: {}\n"}
    extra = more.pop("files", {})
    assert isinstance(extra, dict)
    return FakeHost(files=files | extra, links={SITE: site}, **more)  # type: ignore[arg-type]


def look(host: FakeHost, note: bytes = b"") -> tuple[AgentIntegrity, bytes]:
    found = agent_integrity.collect(Given(host=host, catalogue=None, notes={"agent_integrity": note}))
    assert isinstance(found.signal, AgentIntegrity)
    return found.signal, found.note


def twice(host: FakeHost) -> AgentIntegrity:
    _, note = look(host)
    return look(host, note)[0]


def test_an_installed_agent_that_nobody_touched() -> None:
    signal = twice(packaged(missing_rights=()))
    assert (signal.package, signal.package_version) == ("intact", agent.__version__)
    assert (signal.changed_files, signal.added_files, signal.unit_changes, signal.stops) == (0, 0, (), ())
    assert (signal.debugger, signal.preloaded, signal.missing_rights) == (False, False, ())
    assert signal.configuration_sha256 == hashlib.sha256(b"collector: {}\n").hexdigest()
    assert signal.interpreter_version.startswith("3.")


def test_an_agent_whose_folder_is_reached_without_a_link_as_on_windows() -> None:
    assert twice(packaged(site=SITE)).package == "intact"


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({"agent/cli.py": b"import evil\n"}, (1, 0)),
        ({"agent/extra.py": b""}, (0, 1)),
        ({"sneaky.pth": b"import x\n"}, (0, 1)),
        ({"agent/notes.txt": b"", "agent/__pycache__/cli.cpython-313.pyc": b""}, (0, 0)),
    ],
)
def test_changed_and_added_code_counts_at_the_second_look(changed: dict[str, bytes], counts: tuple[int, int]) -> None:
    host = packaged(changed)
    first, note = look(host)
    assert (first.package, first.changed_files, first.added_files) == ("intact", 0, 0)
    second, _ = look(host, note)
    assert (second.changed_files, second.added_files) == counts
    assert second.package == ("changed" if any(counts) else "intact")


def test_a_missing_file_counts_as_changed() -> None:
    signal = twice(packaged(listed=manifest(FILES | {"agent/show.py": b"gone"})))
    assert (signal.package, signal.changed_files) == ("changed", 1)


def test_an_update_that_is_under_way_is_no_change() -> None:
    """The new list is there, the old code still runs, and half of the files are replaced."""
    newer = FILES | {"agent/cli.py": b"import os\n"}
    signal = twice(packaged(listed=manifest(newer, "99.0.0")))
    assert (signal.package, signal.changed_files) == ("unreadable", 0)
    done = twice(packaged({"agent/cli.py": b"import os\n"}, listed=manifest(newer, "99.0.0")))
    assert done.package == "intact"


def test_a_checkout_has_no_list() -> None:
    signal, _ = look(FakeHost())
    assert (signal.package, signal.manifest_sha256) == ("unpackaged", None)
    assert (signal.debugger, signal.preloaded, signal.configuration_sha256) == (None, None, None)


def test_a_list_that_may_not_be_read_is_said() -> None:
    assert look(packaged(denied=["/usr/lib/farhand-agent/manifest.sha256"]))[0].package == "unreadable"


@pytest.mark.parametrize("traced", ["/proc/self/status", "/proc/77/status"])
def test_a_debugger_on_the_worker_or_on_its_parent(traced: str) -> None:
    assert look(packaged(files={traced: STATUS.replace("TracerPid:\t0", "TracerPid:\t4242")}))[0].debugger


@pytest.mark.parametrize(
    ("files", "preloaded"),
    [
        ({"/proc/self/environ": b"LD_PRELOAD=/tmp/x.so\0PATH=/bin\0"}, True),
        ({"/proc/self/environ": b"LD_AUDIT=/tmp/x.so\0"}, True),
        ({"/proc/self/environ": b"LD_PRELOAD=\0MY_LD_PRELOAD=1\0"}, False),
        ({"/etc/ld.so.preload": "# none\n\n"}, False),
        ({"/etc/ld.so.preload": "/opt/monitor/lib.so\n"}, True),
    ],
)
def test_libraries_that_are_loaded_first(files: dict[str, str | bytes], preloaded: bool) -> None:
    assert look(packaged(files=files))[0].preloaded is preloaded


def test_a_missing_right_and_a_changed_unit_are_named() -> None:
    folder = "/etc/systemd/system/farhand-agent.service"
    host = packaged(missing_rights=("without CAP_SYS_PTRACE …",), files={f"{folder}.d/proxy.conf": "", folder: ""})
    signal, _ = look(host)
    assert signal.missing_rights == ("without CAP_SYS_PTRACE …",)
    assert signal.unit_changes == (folder, f"{folder}.d/proxy.conf")


def test_times_in_which_it_stood_still_are_kept_over_restarts_for_a_month() -> None:
    stood = Standstill(at=NOON - timedelta(hours=1), seconds=7200.4)
    _, note = look(packaged(standstills=(stood,)))
    later, note = look(packaged(), note)
    assert [(stop.at, stop.seconds) for stop in later.stops] == [(stood.at, 7200.0)]
    host = packaged()
    host.pass_time(31 * 86400)
    assert look(host, note)[0].stops == ()


def test_a_standstill_that_was_noted_while_the_clock_was_set_to_another_year_is_not_kept() -> None:
    _, note = look(packaged(standstills=(Standstill(at=NOON + timedelta(days=900), seconds=90),)))
    assert look(packaged(), note)[0].stops == ()


def test_the_list_is_read_as_sha256sum_writes_it() -> None:
    version, listed = agent_integrity.parse_manifest(manifest(FILES, "1.2.3") + "torn")
    assert version == "1.2.3"
    assert listed == {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}


def test_a_note_that_cannot_be_read_is_none() -> None:
    assert look(packaged(), b"7")[0].package == "intact"
