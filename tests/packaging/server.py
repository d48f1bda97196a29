"""server: the real collector in the network namespace beside a container, with a certificate of its own authority."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import trustme

from collector import config as configs
from collector.app import database_url
from collector.quickstart import program
from collector.store import enrolment, users
from collector.store.database import migrate, open_engine
from tests.packaging.built import ROOT
from tests.packaging.container import SERVER, until

INTERVAL_S = 15
NEXT_CENTURY_MS = 4_102_444_800_000
ASK = """
import json, ssl, sys, urllib.request
url, ca, token = sys.argv[1:]
request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
with opener.open(request, timeout=10) as answer:
    sys.stdout.write(answer.read().decode())
"""


class Server:
    """A collector that laptops reach by https, and its REST API."""

    def __init__(self, folder: Path, namespace: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.url = f"https://{SERVER}:8470"
        self._namespace = namespace
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        certificate = authority.issue_cert(SERVER)
        certificate.private_key_pem.write_to_path(folder / "tls.key")
        certificate.cert_chain_pems[0].write_to_path(folder / "tls.crt")
        policy = (ROOT / "configs" / "policy.yaml").read_text()
        (folder / "policy.yaml").write_text(policy.replace("interval_s: 300", f"interval_s: {INTERVAL_S}"))
        written = {
            "listen": {"host": SERVER, "port": 8470},
            "public_urls": [self.url],
            "data_dir": str(folder),
            "tls": {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")},
            "policy": str(folder / "policy.yaml"),
            "log_level": "warning",
        }
        self._yaml = folder / "collector.yaml"
        self._yaml.write_text(json.dumps(written))  # JSON is YAML
        engine = open_engine(database_url(configs.load(self._yaml)))
        migrate(engine)
        with engine.execution_options(writes=True).begin() as connection:
            _, self.token = enrolment.create_token(
                connection, now_ms=0, expires_ms=NEXT_CENTURY_MS, quota=9, note="test", group="default"
            )
            scopes = ("devices:read", "alerts:read")
            _, self._api_token = users.issue(
                connection, "api", user_id=None, now_ms=0, expires_ms=NEXT_CENTURY_MS, scopes=scopes
            )
        engine.dispose()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer until the end of the block."""
        command = self.inside(sys.executable, "-m", "collector", "--config", str(self._yaml), "serve")
        with program(command, self.folder / "collector.log"):
            until(self.answers)
            yield

    def answers(self) -> bool:
        """Whether it is up."""
        return self._get("/healthz").returncode == 0

    def ask(self, path: str) -> Any:
        """What the API answers.

        Raises:
            AssertionError: it answers with an error.
        """
        done = self._get(path)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _get(self, path: str) -> subprocess.CompletedProcess[str]:
        command = self.inside(sys.executable, "-c", ASK, self.url + path, str(self.folder / "ca.pem"), self._api_token)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    def inside(self, *command: str) -> list[str]:
        """A command line that runs where the server is."""
        return ["ip", "netns", "exec", self._namespace, *command]

    def measured(self, kind: str) -> Any:
        """The newest signal of a kind, of the only laptop."""
        ((data,),) = self.rows(f"SELECT data FROM signals WHERE kind = '{kind}'")
        return json.loads(data)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What stands in the collector's database."""
        with closing(sqlite3.connect(self.folder / "collector.sqlite")) as connection:
            return connection.execute(query).fetchall()
