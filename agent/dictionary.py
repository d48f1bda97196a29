"""dictionary: docs/signals.md, made of the declarations and the probes themselves: `python -m agent.dictionary`.

Whatever can leave a laptop stands here with what it is for, where it is measured, what that costs, how it is evaded and
what it says of a person. A test compares the page with what this writes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from agent.probe import Probe
from agent.probes import PROBES
from agent.show import declared
from agent.wire.signals import SIGNALS

HEADINGS = ("Supports", "Evasion", "Looks alike", "Privacy")
SYSTEMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}
INTRODUCTION = """\
# Signals

Everything that can leave a laptop, kind by kind. This page is made of the program itself (`make signals` writes it
anew): the fields are those that the wire format can encode, and what `farhand-agent show` prints. Why each is collected
stands under *supports*; how somebody would evade it, and who looks alike without meaning any harm, beside it.
[privacy.md](privacy.md) says what becomes of it.

*Stable* kinds are sent when they changed, *volatile* ones each time they are measured. Every kind can be switched off
for a group (`groups.*.probes_off`); one *on request* is measured only where the policy names it (`groups.*.probes_on`).
A run that takes more processor time than its bound rests for an hour, then twice as long each time.
"""


def page() -> str:
    """The whole page."""
    probes = {probe.kind: probe for probe in PROBES}
    rows = ["| kind | | systems | measured at most | by default |", "|---|---|---|---|---|"]
    rows += [_row(probes[signal.kind]) for signal in SIGNALS]
    return "\n".join([INTRODUCTION, *rows, "", *(line for signal in SIGNALS for line in _about(probes[signal.kind]))])


def _row(probe: Probe) -> str:
    how = "stable" if probe.signal.stable else "volatile"
    cells = (f"[`{probe.kind}`](#{probe.kind})", how, _systems(probe), _often(probe))
    return f"| {' | '.join(cells)} | {'on request' if probe.signal.on_request else 'on'} |"


def _about(probe: Probe) -> Iterator[str]:
    signal = probe.signal
    yield f"## {probe.kind}\n"
    yield f"{signal.purpose}\n"
    yield "| | |"
    yield "|---|---|"
    yield f"| systems | {_systems(probe)} |"
    for system, permission in probe.helped_by.items():
        yield f"| what helps on {SYSTEMS[system]} | {permission} |"
    how = ", on request alone" if probe.signal.on_request else ""
    yield f"| measured | {_often(probe)}{how} |"
    yield f"| sent | {'when it changed' if signal.stable else 'each time'} |"
    yield f"| at most | {probe.budget_cpu_ms:g} ms of processor time and {probe.deadline_s:g} s a run |"
    yield ""
    for heading, text in told(probe):
        yield f"- **{heading}:** {text}"
    yield "\n| field | |"
    yield "|---|---|"
    for depth, name, sentence in declared(signal):
        yield f"| {'&emsp;' * depth}`{name}` | {sentence.replace('|', '&#124;')} |"
    yield ""


def told(probe: Probe) -> Iterator[tuple[str, str]]:
    """What the probe's file says of itself under each heading."""
    text = sys.modules[probe.collect.__module__].__doc__ or ""
    parts = re.split(rf"^({'|'.join(HEADINGS)}): ", text, flags=re.MULTILINE)
    for heading, words in zip(parts[1::2], parts[2::2], strict=True):
        yield heading, " ".join(words.partition("\n\n")[0].split())


def _systems(probe: Probe) -> str:
    return ", ".join(SYSTEMS[system] for system in probe.systems)


def _often(probe: Probe) -> str:
    seconds = probe.every_s
    if seconds < 60:
        return "in every cycle"
    often = f"every {seconds / 3600:.2g} h" if seconds >= 7200 else f"every {seconds / 60:.0f} min"
    return f"when there is news, else {often}" if probe.has_news else often


if __name__ == "__main__":
    sys.stdout.write(page())
