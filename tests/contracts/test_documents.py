"""What the documents promise is there: commands, configuration keys, rules, signals."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli import main as agent_main
from agent.wire.signals import SIGNALS
from collector.cli import parser as collector_parser

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("target", ["run", "smoke", "test", "check", "soak", "bench", "eval"])
def test_the_readme_names_targets_that_exist(target: str) -> None:
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def verbs(help_text: str) -> set[str]:
    return set(re.findall(r"^    ([a-z]+) ", help_text, re.MULTILINE))


def test_the_readme_names_every_command_of_the_agent(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        agent_main(["--help"])
    found = verbs(capsys.readouterr().out)
    assert found == {"enrol", "run", "once", "doctor", "show", "status"}
    for verb in found:
        assert f"`{verb}" in README


def test_the_readme_names_every_command_of_the_collector() -> None:
    found = verbs(collector_parser().format_help())
    assert {"serve", "migrate", "check", "token", "user", "replay", "schema", "backup", "restore"} <= found
    for verb in found:
        assert f"`{verb}" in README


def test_the_privacy_page_names_every_kind_that_leaves_a_laptop() -> None:
    text = (ROOT / "docs" / "privacy.md").read_text()
    for signal in SIGNALS:
        assert f"`{signal.kind}`" in text


def test_every_link_between_documents_leads_somewhere() -> None:
    for path in [
        ROOT / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "agent").rglob("*.md"),
        *(ROOT / "collector").rglob("*.md"),
    ]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path}: {target}"


@pytest.mark.parametrize("program", ["agent", "collector"])
def test_a_program_says_its_version(program: str) -> None:
    done = subprocess.run([sys.executable, "-m", program, "--version"], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.decode().split()[1] == "0.1.0"
