"""What farhand-collector says to somebody who uses it for the first time, and what it leaves on the disk."""

from __future__ import annotations

import errno
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from collector.cli import run

POLICY = "groups: {default: {interval_s: 300}, sales: {interval_s: 600}}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of a collector that has no database yet."""
    policy, path = tmp_path / "policy.yaml", tmp_path / "collector.yaml"
    policy.write_text(POLICY)
    path.write_text(f"data_dir: {tmp_path / 'data'}\npolicy: {policy}\n")
    return path


@pytest.fixture
def ready(config: Path) -> Path:
    """Settings of a collector with a database."""
    assert run(["--config", str(config), "migrate"]) == 0
    return config


def failing(config: Path, *arguments: str, capsys: pytest.CaptureFixture[str], status: int = 1) -> str:
    """The one line that a command which cannot be done prints."""
    capsys.readouterr()
    assert run(["--config", str(config), *arguments]) == status
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


@pytest.mark.parametrize("arguments", [["user", "list"], ["token", "create"], ["replay", "--since", "2026-11-01"]])
def test_without_a_database_it_says_which_one_and_how_it_is_made(
    config: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = failing(config, *arguments, capsys=capsys)
    assert told.startswith(
        f"farhand-collector {arguments[0]}: database sqlite:///{config.parent}/data/collector.sqlite"
    )
    assert "farhand-collector migrate makes it" in told


def test_a_folder_that_cannot_be_one_is_named(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "data").write_text("no folder")
    assert failing(config, "migrate", capsys=capsys).endswith("data: File exists\n")


@pytest.mark.parametrize(
    "arguments", [["--quota", "0"], ["--quota", "-1"], ["--hours", "0"], ["--hours", "99999999999"], ["--hours", "x"]]
)
def test_a_token_that_enrols_nobody_or_holds_for_ever_is_refused(
    ready: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        run(["--config", str(ready), "token", "create", *arguments])
    assert refused.value.code == 2
    assert f"expected a number from 1 to {8760 if '--hours' in arguments else 1000000}" in capsys.readouterr().err


def test_a_token_is_for_a_group_of_the_policy(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = failing(ready, "token", "create", "--group", "sale", capsys=capsys)
    assert "policy.yaml: no group 'sale'; did you mean sales?" in told
    assert run(["--config", str(ready), "token", "create", "--group", "sales"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("fhe_")
    assert "enrols 1 laptop within 72 hours" in err


def test_a_disabled_user_gets_no_link_that_would_not_work(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--config", str(ready), "user", "create", "ann", "--role", "admin"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("http://127.0.0.1:8470/sign-in?link=fhl_")
    assert err == "ann, admin: this signs in once, within 24 hours\n"
    assert run(["--config", str(ready), "user", "disable", "ann"]) == 0
    assert "'ann' is disabled" in failing(ready, "user", "link", "ann", capsys=capsys)
    assert run(["--config", str(ready), "user", "enable", "ann"]) == 0
    assert run(["--config", str(ready), "user", "link", "ann"]) == 0


def test_a_password_comes_from_standard_input_where_there_is_no_terminal(
    ready: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery staple\n"))
    assert run(["--config", str(ready), "user", "create", "ann", "--password"]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert "12 characters" in failing(ready, "user", "create", "bob", "--password", capsys=capsys)


def test_an_empty_list_of_users_says_how_to_make_one(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--config", str(ready), "user", "list"]) == 0
    assert capsys.readouterr().err == "no user; make one: farhand-collector user create NAME --role admin\n"


def test_a_folder_is_no_backup(ready: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"{tmp_path}: a folder; name the file" in failing(ready, "restore", str(tmp_path), capsys=capsys)


def test_what_may_not_be_read_says_who_should_run_it(
    ready: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "/srv/collector.lock")

    monkeypatch.setattr("collector.serving.os.open", refuse)
    said = failing(ready, "migrate", capsys=capsys)
    assert "/srv/collector.lock: Permission denied; run it as the user that the collector runs as" in said


def test_plain_http_that_others_reach_is_a_mistake(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(config.read_text() + "listen: {host: 0.0.0.0}\n")
    assert run(["--config", str(config), "check"]) == 2
    assert "listen.host (line" in capsys.readouterr().out
    assert run(["--config", str(config), "serve"]) == 2


def test_check_without_a_configuration_says_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("collector.config.DEFAULT", tmp_path / "collector.yaml")
    assert run(["check"]) == 2
    said = capsys.readouterr().err
    assert said == f"there is no {tmp_path}/collector.yaml; name a file: farhand-collector --config FILE check\n"


def test_a_backup_into_a_folder_that_is_not_there_names_the_folder(
    ready: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = failing(ready, "backup", str(tmp_path / "away" / "one"), capsys=capsys)
    assert f"there is no folder {tmp_path / 'away'}; make it" in said


def test_check_counts_in_words(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(config.read_text() + "lissten: {}\n")
    assert run(["--config", str(config), "check"]) == 2
    assert capsys.readouterr().out.endswith("did you mean listen?\n1 mistake\n")


def test_what_it_writes_is_for_its_own_user_alone(config: Path) -> None:
    (config.parent / "data").mkdir(mode=0o755)
    command = [sys.executable, "-m", "collector", "--config", str(config), "migrate"]
    subprocess.run(command, check=True, capture_output=True, preexec_fn=lambda: os.umask(0o022))
    database = config.parent / "data" / "collector.sqlite"
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
