"""postgres: a PostgreSQL of the tests' own: a cluster in a temporary folder, reached through a socket in it.

FARHAND_TEST_POSTGRES=postgresql://user@host/database takes a server that runs already instead.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import psycopg
from sqlalchemy import make_url, text

from collector.store.database import open_engine

NAMED = os.environ.get("FARHAND_TEST_POSTGRES", "")
UNPRIVILEGED = "nobody"
START_S = 30.0


def programs() -> Path | None:
    """The folder of initdb and postgres, the newest version first; None where PostgreSQL is not installed."""
    in_path = shutil.which("initdb")
    folders = [Path(in_path).resolve().parent] if in_path else []
    debian = Path("/usr/lib/postgresql")
    folders += sorted(debian.glob("*/bin"), key=lambda each: int(re.sub(r"\D", "", each.parent.name) or 0))[::-1]
    return next((each for each in folders if (each / "initdb").exists() and (each / "postgres").exists()), None)


def missing() -> str:
    """Why there is no PostgreSQL to test with; empty when there is."""
    if NAMED:
        return ""
    if programs() is None:
        return "initdb and postgres are neither in PATH nor in /usr/lib/postgresql (Debian: postgresql)"
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "PostgreSQL does not run as root, and there is no setpriv to drop it (Debian: util-linux)"
    return ""


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """Address of a database on a server that ends with the tests."""
    if NAMED:
        yield NAMED
        return
    folder, found = Path(mkdtemp(prefix="farhand-pg-", dir="/tmp")), programs()
    assert found is not None
    drop: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, UNPRIVILEGED)
        drop = ["setpriv", f"--reuid={UNPRIVILEGED}", "--regid=nogroup", "--clear-groups"]
    at_end = ["setpriv", "--pdeathsig=INT"] if shutil.which("setpriv") else []
    data = folder / "data"
    initdb = [found / "initdb", "-D", data, "-U", "farhand", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-locale"]
    try:
        subprocess.run([*drop, *initdb], check=True, capture_output=True, cwd=folder)
        settings = ("listen_addresses=", "fsync=off", "max_connections=50", "shared_buffers=16MB")
        options = [word for each in settings for word in ("-c", each)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [*drop, *at_end, found / "postgres", "-D", data, "-k", folder, *options],
                stdout=log, stderr=log, cwd=folder,
            )  # fmt: skip
        try:
            _wait(server, folder)
            yield f"postgresql://farhand@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(START_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until the server takes connections."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(host=str(folder), user="farhand", dbname="postgres").close()
            return
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                said = (folder / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL does not start: {error}\n{said}") from error
            time.sleep(0.05)


@contextlib.contextmanager
def schema_of(server: str) -> Iterator[str]:
    """Address of tables of one's own, which are dropped afterwards."""
    name = f"farhand_{uuid4().hex}"
    whole = open_engine(server)
    with whole.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    own = make_url(server).update_query_dict({"options": f"-csearch_path={name}"})
    yield own.render_as_string(hide_password=False)
    with whole.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    whole.dispose()
