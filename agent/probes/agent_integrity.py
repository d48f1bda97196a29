"""agent_integrity: whether the agent that runs is the one that was installed, and whether it was left to run.

Supports: who hides something from the agent changes its files, its rights or its start, watches it, or halts it while
the laptop is in use. A package's own update changes files and their list together.
Evasion: root can change the list as well, compiled files in __pycache__, or the kernel; then only what the collector
sees itself is left: silence, gaps, round trips.
Looks alike: an interrupted update; monitoring programs that load themselves into everything.
Privacy: the agent's own files, by digests and counts. No other program is looked at.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Final, Literal

import msgspec

import agent
from agent.host import Host, HostError
from agent.host.this_machine import CONFIG_FILE
from agent.probe import Given, Noted, Probe, plain
from agent.wire.signals import AgentIntegrity, Stop

SITE: Final = PurePath(agent.__file__).parents[1].as_posix()
"""Where the agent's own modules and its libraries lie, by the way that Python took: packages link one folder into
several."""
MANIFEST: Final = "manifest.sha256"
"""The list that the package brings, beside that folder: the version, then a line per file as sha256sum writes it."""
MANIFEST_BYTES: Final = 1024 * 1024
FILE_BYTES: Final = 32 * 1024 * 1024
USUAL_BYTES: Final = 64 * 1024
"""Nearly all files are smaller. For more than that, a system has to set memory aside first, at each of hundreds."""
CODE: Final = (".py", ".so", ".pyd", ".pth")
STATUS: Final = "/proc/{}/status"
ENVIRONMENT: Final = "/proc/self/environ"
PRELOAD: Final = "/etc/ld.so.preload"
PRELOADING: Final = (b"LD_PRELOAD", b"LD_AUDIT")
UNIT: Final = "farhand-agent.service"
UNIT_FOLDERS: Final = ("/etc/systemd/system", "/run/systemd/system", "/etc/systemd/system.control")
MOST_CHANGES: Final = 16
MOST_RIGHTS: Final = 8
MOST_STOPS: Final = 8
MEMORY: Final = timedelta(days=30)

Package = Literal["intact", "changed", "unpackaged", "unreadable"]


class Files(msgspec.Struct, frozen=True):
    """The agent's files against the list of its package."""

    package: Package
    version: str = ""
    manifest_sha256: str | None = None
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


class Memory(msgspec.Struct):
    """The note of this probe."""

    differing: str = ""
    """Digest of what differed at the last look: an update replaces one file after the other."""
    stops: tuple[Stop, ...] = ()


def collect(given: Given) -> Noted:
    """Compare the agent's files with the list, and read how its process was started."""
    host = given.host
    memory = given.noted(AgentIntegrity, Memory)
    files = compare(host)
    found = (files.changed, files.added)
    differing = hashlib.sha256(repr(found).encode()).hexdigest() if any(found) else ""
    sure = differing == memory.differing
    stops = _stops(host, memory.stops)
    configuration = host.read_bytes(CONFIG_FILE)
    signal = AgentIntegrity(
        package="intact" if files.package == "changed" and not sure else files.package,
        package_version=plain(files.version),
        manifest_sha256=files.manifest_sha256,
        changed_files=len(files.changed) if sure else 0,
        added_files=len(files.added) if sure else 0,
        configuration_sha256=hashlib.sha256(configuration).hexdigest() if configuration is not None else None,
        interpreter=plain(sys.executable),
        interpreter_version=".".join(map(str, sys.version_info[:3])),
        debugger=_debugger(host),
        preloaded=_preloaded(host),
        missing_rights=tuple(map(plain, host.missing_rights() or ()))[:MOST_RIGHTS],
        unit_changes=tuple(_unit_changes(host))[:MOST_CHANGES],
        stops=stops,
    )
    return Noted(signal=signal, note=msgspec.json.encode(Memory(differing=differing, stops=stops)))


def compare(host: Host) -> Files:
    """Look at every file of the list, and at what else lies in their folders."""
    site = host.real_path(SITE) or SITE
    try:
        data = host.read_bytes(f"{site.rpartition('/')[0]}/{MANIFEST}", MANIFEST_BYTES)
        if data is None:
            return Files("unpackaged")
        version, listed = parse_manifest(data.decode("utf-8", "replace"))
        changed = [name for name, digest in listed.items() if _digest(host, f"{site}/{name}") != digest]
        added = list(_added(host, site, listed))
    except HostError:
        return Files("unreadable")
    # The list of another version than runs: a package was just replaced, and the agent is about to start anew.
    if version.partition("-")[0] != agent.__version__ and (changed or added):
        return Files("unreadable", version, hashlib.sha256(data).hexdigest())
    state: Package = "changed" if changed or added else "intact"
    return Files(state, version, hashlib.sha256(data).hexdigest(), tuple(changed), tuple(added))


def parse_manifest(text: str) -> tuple[str, dict[str, str]]:
    """Version and digests by path below the agent's folder, out of a first line "farhand-agent 1.2.3" and lines such
    as sha256sum writes."""
    first, *lines = text.splitlines() or [""]
    pairs = (line.split("  ", 1) for line in lines)
    return first.rpartition(" ")[2], {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def _digest(host: Host, path: str) -> str:
    data = host.read_bytes(path, USUAL_BYTES)
    if data is not None and len(data) == USUAL_BYTES:
        data = host.read_bytes(path, FILE_BYTES)
    return hashlib.sha256(data).hexdigest() if data is not None else ""


def _added(host: Host, site: str, listed: dict[str, str]) -> Iterator[str]:
    """Files of program code that the list does not name, in the folders that it names."""
    folders = {"", *(name.rpartition("/")[0] for name in listed)}
    for folder in sorted(folders):
        for name in host.list_dir(f"{site}/{folder}".rstrip("/")):
            path = f"{folder}/{name}".lstrip("/")
            if name.endswith(CODE) and path not in listed:
                yield path


def _debugger(host: Host) -> bool | None:
    """Whether this process or its parent, the agent's resident one, is traced (TracerPid of proc_pid_status(5))."""
    own = _status(host, "self")
    if "TracerPid" not in own:
        return None
    return any(status.get("TracerPid", "0") != "0" for status in (own, _status(host, own.get("PPid", "0"))))


def _status(host: Host, pid: str) -> dict[str, str]:
    try:
        lines = (host.read_text(STATUS.format(pid)) or "").splitlines()
    except HostError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _preloaded(host: Host) -> bool | None:
    """Whether the loader was told to load other libraries first (ld.so(8))."""
    try:
        environment = host.read_bytes(ENVIRONMENT)
        listed = host.read_text(PRELOAD) or ""
    except HostError:
        return None
    if environment is None:
        return None
    named = any(line.partition("#")[0].strip() for line in listed.splitlines())
    given = (entry.partition(b"=") for entry in environment.split(b"\0"))
    return named or any(name in PRELOADING and value for name, _, value in given)


def _unit_changes(host: Host) -> Iterator[str]:
    """Files of an administrator that stand in place of the service's own unit, or change it."""
    for folder in UNIT_FOLDERS:
        if host.exists(f"{folder}/{UNIT}"):
            yield f"{folder}/{UNIT}"
        for name in host.list_dir(f"{folder}/{UNIT}.d"):
            if name.endswith(".conf"):
                yield plain(f"{folder}/{UNIT}.d/{name}")


def _stops(host: Host, before: Sequence[Stop]) -> tuple[Stop, ...]:
    """What was told before and what the parent noticed since, of the last 30 days."""
    seen: dict[datetime, Stop] = {stop.at: stop for stop in before}
    seen |= {each.at: Stop(at=each.at, seconds=round(each.seconds)) for each in host.standstills()}
    now = host.now()
    # One that is still to come was noted while the clock was set to another day.
    return tuple(seen[at] for at in sorted(seen) if now - MEMORY < at <= now)[-MOST_STOPS:]


PROBE = Probe(signal=AgentIntegrity, collect=collect, every_s=3 * 3600 - 300, deadline_s=10.0, budget_cpu_ms=1000.0)
"""Its budget is for Windows, which takes several times as long as others to open a file."""
