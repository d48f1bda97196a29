"""The verb `roster`: what it says to somebody who imports a file, beside a collector or without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.cli import run
from collector.store.database import open_engine

HEADER = "person,serial,country,home,home_radius_km,travel"
GOOD = f'{HEADER}\nana,PF3ABCDE,US,"Richmond, VA",80,\nbob,PF3OTHER,GB,,,\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text("home_countries: [US]\n")
    path = tmp_path / "collector.yaml"
    path.write_text(f"data_dir: {tmp_path / 'data'}\npolicy: {tmp_path / 'policy.yaml'}\n")
    assert run(["--config", str(path), "migrate"]) == 0
    return path


def roster(
    config: Path, *arguments: str, text: str | None = None, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Status and what was printed; a text is written to hr.csv first."""
    if text is not None:
        (config.parent / "hr.csv").write_text(text)
    capsys.readouterr()
    status = run(["--config", str(config), "roster", *arguments])
    out, err = capsys.readouterr()
    return status, out.replace(f"{config.parent}/", ""), err.replace(f"{config.parent}/", "")


def test_a_file_is_checked_imported_and_not_imported_again(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(config.parent / "hr.csv")
    counts = "2 laptops: 2 new, 0 changed, 0 gone"
    checked = roster(config, "import", path, "--check", text=GOOD, capsys=capsys)
    assert checked == (0, f"hr.csv: no mistake; {counts}; nothing was imported\n", "")
    assert roster(config, "import", path, capsys=capsys) == (0, f"hr.csv: version 1 holds; {counts}\n", "")
    again = roster(config, "import", path, capsys=capsys)
    assert again == (0, "hr.csv: says what version 1 says; nothing was imported\n", "")


def test_mistakes_are_told_by_file_line_column_and_value_and_nothing_is_imported(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(config.parent / "hr.csv")
    status, out, err = roster(config, "import", path, text=f"{HEADER}\n,PF3ABCDE,UK,,,\n", capsys=capsys)
    assert status == 2
    first, second = out.splitlines()
    assert first.startswith('hr.csv: line 2, person, "": nobody is named; write who has the laptop')
    assert second == 'hr.csv: line 2, country, "UK": not a country code; write GB'
    assert err == "hr.csv: 2 mistakes; nothing was imported\n"
    _, out, err = roster(config, "status", capsys=capsys)
    assert "no roster; import one" in err


def test_more_mistakes_than_anybody_reads_are_counted(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "\n".join(f"ana,PF{number:05},UK,,," for number in range(1500))
    path = str(config.parent / "hr.csv")
    _, out, err = roster(config, "import", path, text=f"{HEADER}\n{rows}", capsys=capsys)
    assert out.count("\n") == 200
    assert err == "hr.csv: 1,500 mistakes, of which the first 200 are shown; nothing was imported\n"


def test_status_and_undo(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(config.parent / "hr.csv")
    roster(config, "import", path, text=GOOD, capsys=capsys)
    roster(config, "import", path, text=GOOD.replace("bob", "eva"), capsys=capsys)
    assert roster(config, "activate", "1", capsys=capsys) == (0, "version 1 holds; 2 laptops\n", "")
    _, out, _ = roster(config, "status", capsys=capsys)
    assert "version 1  active  2 laptops" in out
    assert "version 2  past  2 laptops" in out
    assert "2 of 2 lines name no laptop in use" in out
    status, _, err = roster(config, "activate", "9", capsys=capsys)
    assert (status, err) == (
        1,
        "farhand-collector roster: version 9 is not kept; see: farhand-collector roster status\n",
    )


def test_a_file_that_is_not_there_is_named(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = roster(config, "import", str(config.parent / "no.csv"), capsys=capsys)
    assert (status, err) == (1, "farhand-collector roster: no.csv: No such file or directory\n")


def test_a_second_import_says_who_is_at_work(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = open_engine(f"sqlite:///{config.parent / 'data' / 'collector.sqlite'}")
    with engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO roster_versions (state, created_ms, touched_ms, actor, source, digest, rows, added, changed, "
            "removed) VALUES ('loading', 0, 99999999999999, 'ada', 'hr.csv', '', 0, 0, 0, 0)"
        )
    engine.dispose()
    status, _, err = roster(config, "import", str(config.parent / "hr.csv"), text=GOOD, capsys=capsys)
    assert status == 1
    assert "another import is at work since 00:00:00 UTC (ada); try again when it is done" in err
