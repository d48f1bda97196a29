"""The collector's service in its sandbox: installed as packaging/README.md says, in a booted container."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.packaging import built, container
from tests.packaging.built import ROOT
from tests.packaging.container import Container, until

pytestmark = [pytest.mark.slow, pytest.mark.container, pytest.mark.timeout(300)]
UNIT: Final = "farhand-collector.service"
HOME: Final = "opt/farhand-collector"
PYTHON: Final = "3.11"
"""Of the container."""
ASK: Final = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8470/readyz', timeout=5).status)"


def test_the_collector_runs_in_its_sandbox_and_keeps_its_data_to_itself(tmp_path: Path) -> None:
    if reason := container.why_not():
        pytest.skip(reason)
    layer = installed(tmp_path)
    with ExitStack() as ends:
        try:
            server, _ = ends.enter_context(container.booted(tmp_path, layer))
        except container.UnbootableError as error:
            pytest.skip(str(error))
        server.run("systemd-sysusers")
        server.run("systemctl", "enable", "--now", UNIT)

        until(lambda: answers(server))
        main = server.shown(UNIT, "MainPID")
        status = server.run("cat", f"/proc/{main}/status")
        for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
            assert line in status
        assert "Uid:\t0" not in status
        kept = server.run("find", "/var/lib/farhand-collector", "-printf", "%u %m %f\n").splitlines()
        assert {line.split()[0] for line in kept} == {"farhand-collector"}
        assert all(int(line.split()[1], 8) & 0o077 == 0 for line in kept), kept
        assert any(line.endswith("collector.sqlite") for line in kept)

        link = as_the_service(server, "user", "create", "ann", "--role", "admin")
        assert "https://farhand.example.org" in link
        server.run("systemctl", "restart", UNIT)
        until(lambda: answers(server))
        assert "ann" in as_the_service(server, "user", "list")
        server.run("systemctl", "stop", UNIT)
        assert server.shown(UNIT, "Result") == "success"


def answers(server: Container) -> bool:
    return server.run("python3", "-c", ASK, check=False).strip() == "200"


def as_the_service(server: Container, *command: str) -> str:
    program = [f"/{HOME}/bin/farhand-collector", "--config", "/etc/farhand/collector.yaml"]
    return server.run("runuser", "-u", "farhand-collector", "--", *program, *command)


def installed(folder: Path) -> Path:
    """The collector's wheel, units and samples, as a layer over the bare system."""
    wheel = built.build(built.copy_of_the_source(folder / "source"), folder / "dist")["collector"]
    layer = folder / "layer"
    site = layer / HOME / "lib" / f"python{PYTHON}" / "site-packages"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(site)]
    command += ["--only-binary=:all:", f"--python-version={PYTHON}", "--no-compile", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and any(word in done.stderr for word in built.UNREACHED):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    # What `python3 -m venv` would make there.
    (layer / HOME / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (layer / HOME / "bin").mkdir()
    (layer / HOME / "bin" / "python").symlink_to("/usr/bin/python3")
    program = layer / HOME / "bin" / "farhand-collector"
    program.write_text(f"#!/{HOME}/bin/python\nimport sys\nfrom collector.__main__ import main\nsys.exit(main())\n")
    program.chmod(0o755)
    sources = ROOT / "packaging" / "collector"
    for source, target in (
        (sources / "linux" / "farhand-collector.service", f"etc/systemd/system/{UNIT}"),
        (sources / "linux" / "sysusers.conf", "etc/sysusers.d/farhand-collector.conf"),
        (sources / "collector.yaml", "etc/farhand/collector.yaml"),
        (ROOT / "configs" / "policy.yaml", "etc/farhand/policy.yaml"),
    ):
        (layer / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, layer / target)
    return layer
