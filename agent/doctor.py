"""doctor: what this agent can and cannot do on its machine, and what would help."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal

import msgspec

from agent import enrol, identity
from agent.config import Config, unknown_kinds
from agent.cycle import Tools
from agent.disk import DiskError
from agent.host import Host, HostError, rights
from agent.host.macos_place import PLACE_HELPER
from agent.once import measure_now, orders_of
from agent.probe import Probe
from agent.runner import Run
from agent.uplink import SETTINGS_PATH, UplinkError

HARMLESS: Final = frozenset({"unsupported", "absent", "disabled"})
"""Failures that no permission and no repair would change."""
SKEW_S: Final = 60.0

Verdict = Literal["works", "partly", "not", "problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was looked at, how it stands, and why."""

    subject: str
    verdict: Verdict
    words: str = ""


def examine(
    config: Config,
    host: Host,
    probes: Sequence[Probe],
    tools: Tools | None,
    why_no_folder: str,
    say: Callable[[str], None],
) -> bool:
    """Look at everything and print it. True when there is no problem.

    Args:
        tools: what a cycle here would work with; None where the agent's folder is missing or cannot be opened.
        why_no_folder: why it cannot be opened; empty where there is none yet.
    """
    healthy = True
    for finding in _findings(config, host, probes, tools, why_no_folder):
        say(f"{finding.verdict:8}{finding.subject}{': ' if finding.words else ''}{finding.words}")
        healthy = healthy and finding.verdict != "problem"
    return healthy


def _findings(
    config: Config, host: Host, probes: Sequence[Probe], tools: Tools | None, why_no_folder: str
) -> Iterator[Finding]:
    orders = orders_of(tools.disk if tools is not None else None)
    by_kind = {probe.kind: probe for probe in probes}
    for run in measure_now(host, probes, orders, config.probes_off):
        yield _about_probe(run, by_kind[run.measurement.kind], host)
    yield from _about_rights(host)
    if orders.settings.timing.headers:
        yield _about_headers(host)
    yield _about_helper(host)
    if host.system == "macos":
        yield _about_place_helper(host)
    for words in unknown_kinds(config):
        yield Finding(subject="agent.yaml", verdict="problem", words=words)
    if why_no_folder:
        yield Finding(subject="state folder", verdict="problem", words=why_no_folder)
        return
    if tools is None:
        yield Finding(subject="state folder", verdict="not", words=f"{config.state_dir} is made at enrolment")
        yield from _not_enrolled()
        return
    yield Finding(subject="state folder", verdict="works", words=config.state_dir)
    if tools.marks is None:
        words = f"{config.run_dir} cannot be used; a state that was set back is noticed by the collector alone"
        yield Finding(subject="run folder", verdict="partly", words=words)
    yield from _about_collector(tools)


def _about_probe(run: Run, probe: Probe, host: Host) -> Finding:
    """Works, partly or not: why, and which permission would help."""
    kind, failure = run.measurement.kind, run.measurement.failure
    helps = f"; what helps: {probe.helped_by[host.system]}" if host.system in probe.helped_by else ""
    if failure is not None:
        words = f"{failure}: {run.why}"
        if host.system not in probe.systems:
            words += f"; measured on {' and '.join(probe.systems)}"
        elif failure == "denied" and not run.remedy:
            words += helps
        return Finding(subject=kind, verdict="not" if failure in HARMLESS else "problem", words=words)
    cost = f"{run.measurement.runtime_ms:.0f} ms, {run.cpu_ms:.0f} ms of CPU time"
    data = msgspec.json.decode(bytes(run.measurement.data))
    missing = [name for name, value in data.items() if value is None]
    if missing:
        return Finding(subject=kind, verdict="partly", words=f"no value for {', '.join(missing)} ({cost}){helps}")
    return Finding(subject=kind, verdict="works", words=cost)


def _about_rights(host: Host) -> Iterator[Finding]:
    """Whether this process may see what its probes look at; nothing where the system has no such rights."""
    try:
        lost = host.missing_rights()
    except HostError:
        return
    if lost is not None:
        yield Finding(subject="permissions", verdict="partly" if lost else "works", words="; ".join(lost))


def _about_headers(host: Host) -> Finding:
    """Whether sessions are timed by headers of packets here, as the collector's policy wants."""
    status = host.read_text(rights.STATUS) if host.system == "linux" else None
    if status is not None and rights.may_listen(status):
        return Finding(subject="headers of packets", verdict="works")
    words = "the policy wants them, and they need CAP_NET_RAW (docs/agent.md); the kernel's counters serve instead"
    return Finding(subject="headers of packets", verdict="partly", words=words)


def _about_helper(host: Host) -> Finding:
    """Whether the helper that counts input could be asked. It is not asked here: that would begin to count."""
    path = host.input_helper
    if path is None:
        return Finding(subject="input helper", verdict="not", words="none is built for this system")
    if not host.exists(path):
        start = "start farhand-agent-input.socket" if host.system == "linux" else "install the package again"
        words = f"{path} does not exist; where the policy names input_activity, {start}"
        return Finding(subject="input helper", verdict="not", words=words)
    words = "waits, and counts nothing until the policy names input_activity"
    return Finding(subject="input helper", verdict="works", words=words)


def _about_place_helper(host: Host) -> Finding:
    """Whether a Mac's helper that may know the location could be asked. It is not asked here, where nobody wants it:
    macOS would then ask the person at the screen."""
    asked_for = "os_location or wifi_networks"
    if not host.exists(PLACE_HELPER):
        words = f"{PLACE_HELPER} does not exist; where the policy names {asked_for}, install the package again"
        return Finding(subject="location helper", verdict="not", words=words)
    words = f"waits; once the policy names {asked_for}, macOS asks the person at the screen"
    return Finding(subject="location helper", verdict="works", words=words)


def _about_collector(tools: Tools) -> Iterator[Finding]:
    """Enrolment, whether the collector answers this key, and how far the clocks are apart."""
    try:
        me = identity.load(tools.disk)
        enrolment = enrol.load(tools.disk)
    except (DiskError, OSError) as error:
        yield Finding(subject="enrolment", verdict="problem", words=str(error))
        return
    if me is None or enrolment is None:
        yield from _not_enrolled()
        return
    yield Finding(subject="enrolment", verdict="works", words=f"device {enrolment.device_id}")
    try:
        uplink = tools.connect(me, enrolment)
        try:
            reply = uplink.get(SETTINGS_PATH)
        finally:
            uplink.close()
    except UplinkError as error:
        yield Finding(subject="collector", verdict="problem", words=str(error))
        return
    if reply.status != 200:
        yield Finding(subject="collector", verdict="problem", words=reply.refusal)
        return
    yield Finding(subject="collector", verdict="works", words=uplink.address.base)
    skew_s = _skew_s(reply.date, tools.host.now())
    if skew_s is not None and abs(skew_s) > SKEW_S:
        side = "ahead of" if skew_s > 0 else "behind"
        words = f"{abs(skew_s):.0f} s {side} the collector's; it places reports in time by uptime all the same"
        yield Finding(subject="clock of this laptop", verdict="partly", words=words)


def _not_enrolled() -> Iterator[Finding]:
    yield Finding(subject="enrolment", verdict="problem", words=enrol.NOT_ENROLLED)
    yield Finding(subject="collector", verdict="not", words="it answers enrolled laptops alone")


def _skew_s(date: str, now: datetime) -> float | None:
    """Seconds that this laptop's clock is ahead of the collector's; None when the collector gave no time."""
    try:
        return (now - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError):
        return None
