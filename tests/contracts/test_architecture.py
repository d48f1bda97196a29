"""The shape of the code, kept by tests: who imports whom, what is registered, how long a module may be."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent.probes import PROBES
from agent.wire.signals import KINDS

ROOT = Path(__file__).resolve().parents[2]
MODULES = [path for top in ("agent", "collector") for path in sorted((ROOT / top).rglob("*.py"))]
LONGEST = 310
READ_BY_NO_FACT = {
    "power": "the present moment, for people; rules look at whole days, which posture counts",
    "session_timing": "its facts come with the estimators",
}


def test_the_import_contracts_hold() -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", code, "--no-cache"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


def test_every_kind_has_exactly_one_probe_in_a_file_of_its_name() -> None:
    files = {path.stem for path in (ROOT / "agent" / "probes").glob("*.py")} - {"__init__"}
    assert sorted(probe.kind for probe in PROBES) == sorted(KINDS)
    assert {probe.collect.__module__.rpartition(".")[2] for probe in PROBES} == files == set(KINDS)


def test_every_probe_says_what_it_supports_how_it_is_evaded_and_what_it_costs_in_privacy() -> None:
    for probe in PROBES:
        words = sys.modules[probe.collect.__module__].__doc__ or ""
        assert words.startswith(f"{probe.kind}: ")
        for heading in ("Supports:", "Evasion:", "Privacy:"):
            assert heading in words, f"{probe.kind} lacks {heading}"


def test_nothing_is_collected_that_no_fact_reads() -> None:
    judgement = ROOT / "collector" / "judgement"
    facts = "\n".join(path.read_text() for path in (*judgement.glob("facts/*.py"), judgement / "given.py"))
    projection = "\n".join(
        (ROOT / "collector" / name).read_text() for name in ("projection.py", "landmark_days.py", "use_days.py")
    )
    for kind, signal in KINDS.items():
        read = f'"{kind}"' in facts or re.search(rf"\b{signal.__name__}\b", facts + projection) is not None
        assert read != (kind in READ_BY_NO_FACT), kind


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST
    words = ast.get_docstring(ast.parse(text)) or ""
    name = path.stem if path.stem != "__init__" else path.parent.name
    if name == "__main__":
        assert words.startswith("python -m ")
    elif path.parent.name != "versions" and path.parent.parent != ROOT:
        assert words.startswith((f"{name}: ", f"{name} ")), f"the first line of {path} is {words.splitlines()[:1]}"


def test_the_agent_runs_without_the_collectors_packages() -> None:
    code = (
        "import sys, agent.cli, agent.cycle, agent.doctor, agent.show, agent.uplink, agent.parent\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'collector', 'starlette', 'sqlalchemy', 'jinja2', 'cryptography', 'scapy'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"


def test_the_agent_holds_no_rule_and_no_threshold() -> None:
    for path in (ROOT / "agent").rglob("*"):
        assert path.suffix in {".py", ".md", ".pyc", ""}, path
    words = re.compile(r"suspicious|threshold|risk|malicious", re.IGNORECASE)
    for path in (ROOT / "agent").rglob("*.py"):
        assert not words.search(path.read_text()), path


def test_no_rule_speaks_of_people() -> None:
    forbidden = re.compile(
        r"language|locale|nationality|ethnic|keyboard layout|input method|\baccent\b|korea|china|chinese|russia|"
        r"\bDPRK\b",
        re.IGNORECASE,
    )
    for path in (ROOT / "collector" / "rules").glob("*.yaml"):
        assert not forbidden.search(path.read_text()), path


def test_nothing_is_left_undone() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    for path in [*MODULES, *(ROOT / "docs").rglob("*.md"), *(ROOT / "collector" / "rules").glob("*.yaml")]:
        assert not marks.search(path.read_text()), path
