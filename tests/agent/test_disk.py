"""The agent's folder on a real file system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent import identity
from agent.disk import AGENT_LOCK, DiskError, Folder


def test_files_are_private_and_replaced_as_a_whole(folder: Folder) -> None:
    folder.save("a", b"one")
    folder.save("a", b"two")
    assert folder.read("a") == b"two"
    assert (folder.path / "a").stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.sizes() == {"a": 3}


def test_what_is_not_there_reads_as_none_and_can_be_removed(folder: Folder) -> None:
    assert folder.read("a") is None
    folder.remove("a")


def test_a_half_written_file_of_an_earlier_crash_is_replaced(folder: Folder) -> None:
    folder.write(".a.new", b"half")
    folder.save("a", b"whole")
    assert (folder.read("a"), folder.has(".a.new")) == (b"whole", False)


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(DiskError, match="chmod go-w"):
        Folder.open(tmp_path)


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(DiskError, match=r"belongs to \w+( \d+)?; run this as the agent's user"):
        Folder.open(tmp_path)


def test_links_are_not_followed(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (folder.path / "a").symlink_to(tmp_path / "secret")
    (folder.path / "spool").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to(folder.path)
    with pytest.raises(OSError):
        folder.read("a")
    with pytest.raises(OSError):
        folder.inside("spool")
    with pytest.raises(DiskError, match="real folder"):
        Folder.open(tmp_path / "link")
    folder.save("a", b"mine")
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_lock_is_one_agents_alone(folder: Folder) -> None:
    held = folder.lock(AGENT_LOCK)
    with pytest.raises(DiskError, match="another agent"):
        folder.lock(AGENT_LOCK)
    os.close(held)
    os.close(folder.lock(AGENT_LOCK))


def test_a_key_is_drawn_once_and_never_overwritten(folder: Folder) -> None:
    drawn = identity.draw(folder, "binding")
    loaded = identity.load(folder)
    assert loaded is not None
    assert (loaded.key_id, loaded.binding) == (drawn.key_id, "binding")
    with pytest.raises(DiskError, match="never overwritten"):
        identity.draw(folder, "binding")


def test_a_damaged_key_is_left_alone(folder: Folder) -> None:
    folder.save(identity.FILE, b'{"seed":"AAAA","binding":""}')
    with pytest.raises(DiskError, match="damaged"):
        identity.load(folder)
    assert folder.has(identity.FILE)


def test_archives_are_numbered_and_take_everything(folder: Folder) -> None:
    for _ in range(2):
        identity.draw(folder, "binding")
        folder.inside("spool").save("x", b"")
        identity.archive(folder, ("spool", "state.json"))
    assert not folder.has("spool")
    for number in (1, 2):
        assert {"identity.json", "spool"} == {path.name for path in (folder.path / f"archive-{number}").iterdir()}
