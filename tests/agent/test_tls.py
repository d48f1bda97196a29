"""TLS between a real uplink and a real server: whom the agent believes, and whom it does not."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
import yaml
from nacl.signing import SigningKey

from agent.cli import main
from agent.config import CollectorConfig
from agent.disk import Folder
from agent.identity import Identity
from agent.uplink import SETTINGS_PATH, UplinkError, connect
from tests.agent.fake_collector import FakeCollector
from tests.agent.processes import ROOT
from tests.fakes import FakeHost

ME = Identity(key=SigningKey(b"k" * 32), binding="b")


@pytest.fixture(scope="module")
def old() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def new() -> trustme.CA:
    return trustme.CA()


@contextmanager
def serving(ca: trustme.CA, *names: str, not_after: datetime | None = None) -> Iterator[FakeCollector]:
    """A collector on localhost whose certificate is for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*(names or ("localhost",)), not_after=not_after).configure_cert(context)
    with FakeCollector(context) as collector:
        collector.keys[ME.key_id] = ME.public_key
        yield collector


@pytest.fixture
def pem(tmp_path: Path, old: trustme.CA, new: trustme.CA) -> dict[str, str]:
    """The certificate files of both authorities."""
    for name, ca in (("old", old), ("new", new)):
        ca.cert_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    return {name: str(tmp_path / f"{name}.pem") for name in ("old", "new")}


def fetch(folder: Folder, collector: FakeCollector, **files: str) -> int:
    """The status of one signed request with these certificate files."""
    uplink = connect(folder, CollectorConfig(url=collector.url, **files), ME, FakeHost())
    try:
        return uplink.get(SETTINGS_PATH).status
    finally:
        uplink.close()


def test_a_collector_of_the_configured_authority_is_believed(
    folder: Folder, old: trustme.CA, pem: dict[str, str]
) -> None:
    with serving(old) as collector:
        assert fetch(folder, collector, ca_file=pem["old"]) == 200
        assert collector.bad_signatures == []


def test_a_collector_of_another_authority_is_refused_and_hears_nothing(
    folder: Folder, old: trustme.CA, pem: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(old) as collector:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", pem["old"])  # the environment is not asked
        monkeypatch.setenv("SSL_CERT_FILE", pem["old"])
        with pytest.raises(UplinkError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(folder, collector, ca_file=pem["new"])
        with pytest.raises(UplinkError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(folder, collector)
        assert collector.requests == []


def test_both_authorities_are_believed_while_certificates_change_over(
    folder: Folder, old: trustme.CA, new: trustme.CA, pem: dict[str, str]
) -> None:
    for ca in (old, new):
        with serving(ca) as collector:
            assert fetch(folder, collector, ca_file=pem["old"], extra_ca_file=pem["new"]) == 200
    with serving(old) as collector, pytest.raises(UplinkError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(folder, collector, ca_file=pem["new"])  # the change-over is done


@pytest.mark.parametrize("name", ["farhand.example.com", "*.localhost", "127.0.0.1"])
def test_a_certificate_for_another_name_is_refused(
    folder: Folder, old: trustme.CA, pem: dict[str, str], name: str
) -> None:
    with serving(old, name) as collector:
        with pytest.raises(UplinkError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(folder, collector, ca_file=pem["old"])
        assert collector.requests == []


def test_a_certificate_that_has_run_out_is_refused(folder: Folder, old: trustme.CA, pem: dict[str, str]) -> None:
    with (
        serving(old, not_after=datetime(2020, 1, 1, tzinfo=UTC)) as collector,
        pytest.raises(UplinkError, match="expired"),
    ):
        fetch(folder, collector, ca_file=pem["old"])


def useless(content: str, old: trustme.CA) -> bytes:
    """What a person may take for a file of certificates."""
    whole = old.cert_pem.bytes()
    return {
        "nothing": b"",
        "words": b"not a certificate\n",
        "a key": old.private_key_pem.bytes(),
        "DER": ssl.PEM_cert_to_DER_cert(whole.decode()),
        "half a certificate": whole[: len(whole) // 2],
        "one and a half": whole + whole[: len(whole) // 2],
    }[content]


CONTENTS = ("nothing", "words", "a key", "DER", "half a certificate", "one and a half")


@pytest.mark.parametrize("content", CONTENTS)
def test_a_file_without_certificates_is_named_and_a_good_copy_stays_in_use(
    folder: Folder,
    old: trustme.CA,
    pem: dict[str, str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    content: str,
) -> None:
    (tmp_path / "bad.pem").write_bytes(useless(content, old))
    with serving(old) as collector:
        with pytest.raises(UplinkError, match=r"bad\.pem: not a file of certificates .*; check ca_file"):
            fetch(folder, collector, ca_file=str(tmp_path / "bad.pem"))
        assert fetch(folder, collector, ca_file=pem["old"]) == 200
        assert fetch(folder, collector, ca_file=str(tmp_path / "bad.pem")) == 200
    assert "bad.pem: not a file of certificates" in caplog.text


@pytest.mark.parametrize("content", CONTENTS)
def test_an_enrolment_with_a_file_without_certificates_says_so_and_asks_nobody(
    old: trustme.CA, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (tmp_path / "bad.pem").write_bytes(useless(content, old))
    given = ["--token", "good", "--state-dir", str(tmp_path / "state"), "--ca"]
    with serving(old) as collector:
        assert main(["enrol", "--url", collector.url, *given, str(tmp_path / "bad.pem")]) == 1
        assert main(["enrol", "--url", collector.url, *given, str(tmp_path / "none.pem")]) == 1
        assert collector.requests == []
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"farhand-agent: {tmp_path}/bad.pem: not a file of certificates (PEM), which")
    assert second == f"farhand-agent: {tmp_path}/none.pem: No such file or directory; give a file of certificates (PEM)"
    assert not (tmp_path / "state").exists()


def test_a_certificate_file_that_was_tidied_away_stays_in_use(
    folder: Folder, old: trustme.CA, pem: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with serving(old) as collector:
        assert fetch(folder, collector, ca_file=pem["old"]) == 200
        Path(pem["old"]).unlink()
        assert fetch(folder, collector, ca_file=pem["old"]) == 200
    assert "old.pem: No such file or directory; check ca_file" in caplog.text


def test_an_enrolment_by_command_and_a_cycle_run_over_tls(tmp_path: Path, old: trustme.CA, pem: dict[str, str]) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text(yaml.safe_dump({"run_dir": str(tmp_path / "run"), "state_dir": str(tmp_path / "state")}))

    def command(*words: str) -> int:
        line = [sys.executable, "-m", "agent", "--config", str(config), *words]
        return subprocess.run(line, cwd=ROOT, capture_output=True, timeout=60, check=False).returncode

    with serving(old) as collector:
        enrol = ["enrol", "--url", collector.url, "--token", "good", "--ca"]
        assert command(*enrol, pem["new"]) == 1
        assert collector.requests == []
        assert command(*enrol, pem["old"]) == 0
        assert command("cycle") == 0
        assert collector.requests == ["POST /agent/v1/enrol", "POST /agent/v1/reports"]
        assert len(collector.reports) == 1
        assert collector.bad_signatures == []
