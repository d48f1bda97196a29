"""What the packages hold, and that the same source gives the same bytes."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from typing import Final

import msgspec
import pytest
import yaml

from agent import __version__
from agent.config import parse
from tests.packaging import built
from tests.packaging.built import ROOT

pytestmark = pytest.mark.slow
MODULES: Final = {
    "argon2": "argon2-cffi",
    "nacl": "pynacl",
    "yaml": "pyyaml",
}
"""Import names that are not the name of their distribution."""
SHIPPED: Final = re.compile(
    r"^\./(etc/farhand/agent\.yaml|usr/bin/farhand-agent|usr/lib/farhand-agent/(pyvenv\.cfg|manifest\.sha256|bin/python|lib/python3\.\d+/"
    r"site-packages|site/.+)|usr/lib/(systemd/system/farhand-agent|systemd/system-preset/70-farhand-agent|sysusers\.d/"
    r"farhand-agent|tmpfiles\.d/farhand-agent).+|usr/share/doc/farhand-agent/.+)$"
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built.copy_of_the_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def packages(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return built.build(source, tmp_path_factory.mktemp("built"))


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def needed(wheel: Path) -> set[str]:
    """Distributions that a wheel depends on, without extras."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = HeaderParser().parsestr(archive.read(path).decode())
    assert metadata["Version"] == __version__
    lines = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    return {re.split(r"[^\w.-]", line)[0].lower() for line in lines}


def imported(top: Path) -> set[str]:
    """Distributions that a package imports, wherever in the code."""
    found = set()
    for path in top.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module or "")
    tops = {name.partition(".")[0] for name in found}
    return {
        MODULES.get(name, name.replace("_", "-"))
        for name in tops - set(sys.stdlib_module_names) - {"agent", "collector", ""}
    }


def test_the_agent_s_wheel_holds_the_agent_alone_and_needs_what_it_imports(
    source: Path, packages: dict[str, Path]
) -> None:
    held = names(packages["agent"])
    assert held == {str(path.relative_to(source)) for path in (source / "agent").rglob("*") if path.is_file()}
    assert not any("rules" in name or name.endswith(".yaml") for name in held)
    assert needed(packages["agent"]) == imported(source / "agent")


def test_the_collector_s_wheel_holds_its_rules_and_of_the_agent_the_wire_format_alone(
    source: Path, packages: dict[str, Path]
) -> None:
    held = names(packages["collector"])
    own = {str(path.relative_to(source)) for path in (source / "collector").rglob("*") if path.is_file()}
    assert own <= held
    assert all(name.startswith("agent/wire/") or name == "agent/__init__.py" for name in held - own)
    assert any(name.startswith("collector/rules/") and name.endswith(".yaml") for name in held)
    declared = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    extra = {re.split(r"[^\w.-]", line)[0].lower() for line in declared["optional-dependencies"]["collector"]}
    assert needed(packages["collector"]) == extra | {"msgspec", "pynacl", "pyyaml", "requests"}
    assert imported(source / "collector") <= needed(packages["collector"])


def test_the_agent_runs_where_nothing_of_the_collector_is_installed(packages: dict[str, Path], tmp_path: Path) -> None:
    python = environment(tmp_path / "agent", packages["agent"])
    done = subprocess.run([tmp_path / "agent/bin/farhand-agent", "once", "--json"], capture_output=True, check=True)
    assert b'"platform"' in done.stdout
    for absent in ("collector", "starlette", "sqlalchemy"):
        assert (
            subprocess.run([python, "-P", "-c", f"import {absent}"], capture_output=True, check=False).returncode == 1
        )


def test_the_collector_runs_from_its_wheel_with_the_sample_configuration(
    packages: dict[str, Path], tmp_path: Path
) -> None:
    environment(tmp_path / "collector", packages["collector"])
    program = tmp_path / "collector/bin/farhand-collector"
    text = (ROOT / "packaging" / "collector" / "collector.yaml").read_text()
    text = text.replace("/var/lib/farhand-collector", str(tmp_path / "data"))
    (tmp_path / "collector.yaml").write_text(text.replace("/etc/farhand", str(tmp_path)))
    shutil.copy(ROOT / "configs" / "policy.yaml", tmp_path / "policy.yaml")
    for command in ("check", "migrate", "schema"):
        done = subprocess.run(
            [program, "--config", tmp_path / "collector.yaml", command],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def environment(folder: Path, wheel: Path) -> Path:
    """A fresh virtual environment with one wheel and what it depends on. Returns its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and any(word in done.stderr for word in built.UNREACHED):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    return python


def test_the_same_source_gives_the_same_bytes(source: Path, packages: dict[str, Path], tmp_path: Path) -> None:
    again = built.build(built.copy_of_the_source(tmp_path / "elsewhere", source), tmp_path / "again")
    assert {kind: path.read_bytes() for kind, path in again.items()} == {
        kind: path.read_bytes() for kind, path in packages.items()
    }


def test_the_deb_holds_the_agent_its_libraries_and_its_units_alone(packages: dict[str, Path]) -> None:
    if not shutil.which("dpkg-deb"):
        pytest.skip("dpkg-deb is not installed (Debian package dpkg)")
    listed = subprocess.run(["dpkg-deb", "-c", packages["deb"]], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=5) for line in listed.splitlines()]
    assert {row[1] for row in rows} == {"root/root"}
    files = [row[5].partition(" -> ")[0] for row in rows if not row[0].startswith("d")]
    assert [name for name in files if not SHIPPED.match(name)] == []
    assert not any("/collector/" in name or "/rules/" in name for name in files)
    for python in ("311", "312", "313", "314"):
        for module in ("msgspec/_core", "_cffi_backend"):
            assert any(f"/{module}.cpython-{python}-" in name for name in files), (module, python)
    kept = subprocess.run(["dpkg-deb", "-I", packages["deb"], "conffiles"], capture_output=True, text=True, check=True)
    assert kept.stdout.split() == ["/etc/farhand/agent.yaml"]


def test_the_rpm_unpacks_verifies_and_runs(packages: dict[str, Path], tmp_path: Path) -> None:
    """No Red Hat system is at hand: this much can be shown on another one."""
    if not shutil.which("rpm"):
        pytest.skip("rpm is not installed; `make system` installs it")
    root = tmp_path / "root"
    root.mkdir()

    def rpm(*arguments: str) -> str:
        return subprocess.run(
            ["rpm", "--root", str(root), *arguments], capture_output=True, text=True, check=True
        ).stdout

    rpm("--initdb")
    rpm("--install", "--nodeps", "--noscripts", str(packages["rpm"]))
    assert rpm("--verify", "--nodeps", "--noscripts", "farhand-agent") == ""
    assert rpm("--query", "--configfiles", "farhand-agent").split() == ["/etc/farhand/agent.yaml"]
    asked = subprocess.run(["rpm", "-qp", "--requires", packages["rpm"]], capture_output=True, text=True, check=True)
    assert {"python3 >= 3.11", "python3 < 3.15", "systemd"} <= set(asked.stdout.splitlines())
    home = root / "usr" / "lib" / "farhand-agent"
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = home / "lib" / python / "site-packages"  # as the agent's own Python finds it
    code = f"import sys; sys.path.insert(0, {str(site)!r}); from agent.cli import main; sys.exit(main(['--version']))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"farhand-agent {__version__}"
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); from agent.host.linux import LinuxHost; "
        "from agent.probes.agent_integrity import compare; print(compare(LinuxHost()).package)"
    )

    def own_files() -> str:
        return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout

    assert own_files() == "intact\n"
    (site / "agent" / "added.py").write_text("")
    assert own_files() == "changed\n"


@pytest.mark.parametrize(
    "script", sorted((ROOT / "packaging" / "agent" / "linux").glob("*/p*")), ids=lambda path: path.name
)
def test_a_maintainer_script_is_plain_shell(script: Path) -> None:
    subprocess.run(["sh", "-n", script], check=True)
    assert script.read_text().startswith("#!/bin/sh\n")


def test_the_packaged_configuration_says_all_that_the_shipped_one_says() -> None:
    packaged = (ROOT / "packaging" / "agent" / "linux" / "agent.yaml").read_text()
    shipped = (ROOT / "configs" / "agent.yaml").read_text()
    assert parse(packaged, "agent.yaml") == msgspec.structs.replace(
        parse(shipped, "agent.yaml"), token_file="/var/lib/farhand-agent/enrolment-token"
    )
    assert yaml.safe_load(packaged).keys() == yaml.safe_load(shipped).keys()
