"""Hashes of third parties' identifiers: laptops get the key, the store keeps what only this collector can compare."""

from __future__ import annotations

import gzip
import stat
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.hashing import keyed_hashes
from agent.settings import verify
from agent.wire.report import decode_report, decode_signal
from agent.wire.settings import HashKey, Settings, SettingsAnswer
from agent.wire.signals import SIGNALS, KeyedHash, NetworkPath
from collector import hashing, projection
from collector.cli import run
from collector.hashing import HashSecretError, load_secret
from collector.instants import to_ms
from collector.store import hash_keys, schema
from collector.store.collector_identity import signing_key
from collector.store.database import StoreError
from tests.collector.ingest.conftest import Collector
from tests.laptop import NETWORK, Laptop

ROUTER = bytes.fromhex("3c37866f1a2b")


def orders(collector: Collector, group: str = "default") -> Settings:
    """The settings that laptops of a group get."""
    routes: list[Any] = list(collector.app.routes)
    (endpoint,) = (route.endpoint for route in routes if getattr(route, "path", "") == "/agent/v1/settings")
    publisher = endpoint.__self__._publisher
    published = publisher.documents(group)
    with collector.store.read() as connection:
        public = bytes(signing_key(connection).verify_key)
    return verify(SettingsAnswer(settings=published.settings, catalogue=published.catalogue), public).settings


def behind(router: bytes, keys: typing.Iterable[HashKey]) -> NetworkPath:
    """A laptop behind this router, as its agent says it."""
    route = msgspec.structs.replace(NETWORK.routes[0], gateway=keyed_hashes(keys, "gateway hardware address", router))
    return msgspec.structs.replace(NETWORK, routes=(route,))


def kept(collector: Collector, laptop: Laptop) -> tuple[KeyedHash, ...]:
    """The router's hashes as they are stored."""
    (data,) = (
        row.data
        for row in collector.rows(schema.signals)
        if (row.device_id, row.kind) == (laptop.device_id, NetworkPath.kind)
    )
    signal = decode_signal(NetworkPath.kind, msgspec.Raw(data))
    assert isinstance(signal, NetworkPath)
    return signal.routes[0].gateway


def restart(collector: Collector) -> None:
    collector.stop()
    collector.start()


def test_every_group_gets_the_organisations_key_and_keeps_it_over_a_restart(collector: Collector) -> None:
    (key,) = orders(collector).hash_keys
    assert key.epoch == 1
    restart(collector)
    assert orders(collector).hash_keys == (key,)


def test_what_is_stored_is_not_what_the_laptop_sent_and_what_was_signed_stays_as_it_was(collector: Collector) -> None:
    laptop, keys = collector.enrol(), orders(collector).hash_keys
    path = behind(ROUTER, keys)
    collector.send_first(laptop, path)
    (sent,), (stored,) = path.routes[0].gateway, kept(collector, laptop)
    assert (stored.epoch, len(stored.digest)) == (sent.epoch, len(sent.digest))
    assert stored.digest != sent.digest
    (row,) = collector.rows(schema.reports)
    assert sent.digest.encode() in gzip.decompress(row.body)
    newest = collector.view(laptop).newest[NetworkPath.kind].signal
    assert isinstance(newest, NetworkPath)
    assert newest == msgspec.structs.replace(
        path, routes=(msgspec.structs.replace(path.routes[0], gateway=(stored,)),)
    ), "all else is as it was sent"


def test_two_laptops_at_one_router_are_stored_alike_and_one_at_another_is_not(collector: Collector) -> None:
    keys = orders(collector).hash_keys
    found = []
    for router in (ROUTER, ROUTER, bytes.fromhex("9483c4000001")):
        laptop = collector.enrol()
        collector.send_first(laptop, behind(router, keys))
        found.append(kept(collector, laptop))
    assert found[0] == found[1] != found[2]


def test_the_state_digest_still_fits_so_a_quiet_laptop_stays_quiet(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop, behind(ROUTER, orders(collector).hash_keys))
    collector.later(minutes=5)
    assert collector.send(laptop).want == ()
    assert len(collector.rows(schema.reports)) == 1


def test_over_a_change_of_keys_laptops_are_tied_by_those_that_sent_both(collector: Collector) -> None:
    old = orders(collector).hash_keys
    early = collector.enrol()
    collector.send_first(early, behind(ROUTER, old))
    collector.store.write(lambda connection: hash_keys.rotate(connection, to_ms(collector.time)))
    restart(collector)
    both = orders(collector).hash_keys
    assert [key.epoch for key in both] == [2, 1]
    assert both[1] == old[0]
    between = collector.enrol()
    collector.send_first(between, behind(ROUTER, both))
    collector.store.write(hash_keys.retire)
    restart(collector)
    late = collector.enrol()
    collector.send_first(late, behind(ROUTER, orders(collector).hash_keys))
    first, middle, last = (set(kept(collector, laptop)) for laptop in (early, between, late))
    assert first < middle
    assert last < middle
    assert not first & last


def test_a_network_that_cannot_be_read_is_not_stored_with_what_it_held(collector: Collector) -> None:
    laptop = collector.enrol()
    wrong = b'{"interfaces":7,"routes":[{"gateway":[{"epoch":1,"digest":"' + b"5f" * 16 + b'"}]}]}'
    report = laptop.first_report(collector.time)
    extra = laptop.measured(NetworkPath.kind, wrong, collector.time, stable=True)
    laptop.sequence -= 1
    report = laptop.report(collector.time, extra=(extra,))
    assert collector.post(laptop.request(report, collector.time)).status_code == 202
    (row,) = (row for row in collector.rows(schema.signals) if row.kind == NetworkPath.kind)
    assert row.data == hashing.UNREADABLE
    assert row.unreadable == "malformed"
    assert decode_report(gzip.decompress(collector.rows(schema.reports)[-1].body)).measurements


def test_the_secret_lies_beside_the_database_for_its_owner_alone_and_not_in_it(collector: Collector) -> None:
    file = Path(collector.config.data_dir) / hashing.FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = load_secret(file.parent)
    stored = [row.value for row in collector.rows(schema.meta)]
    assert not [value for value in stored if secret in value or secret.hex().encode() in value]
    restart(collector)
    assert load_secret(file.parent) == secret


@pytest.mark.parametrize("text", ["", "zz", "00", "00" * 33, "é"])
def test_a_damaged_secret_is_told_and_never_drawn_anew_by_itself(tmp_path: Path, text: str) -> None:
    (tmp_path / hashing.FILE).write_text(text)
    with pytest.raises(HashSecretError, match=f"{tmp_path}/hash-secret: "):
        load_secret(tmp_path)
    assert (tmp_path / hashing.FILE).read_text() == text


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HashSecretError, match="hash-secret"):
        load_secret(tmp_path / "file")


def test_a_key_changes_over_in_two_steps_and_neither_can_be_done_twice(collector: Collector) -> None:
    collector.store.write(lambda connection: hash_keys.rotate(connection, 5))
    with pytest.raises(StoreError, match="epochs 2 and 1 are both in use; end that change-over first"):
        collector.store.write(lambda connection: hash_keys.rotate(connection, 6))
    collector.store.write(hash_keys.retire)
    with pytest.raises(StoreError, match="only one key is in use"):
        collector.store.write(hash_keys.retire)
    with collector.store.read() as connection:
        assert [one.epoch for one in hash_keys.kept(connection)] == [2]


def kinds_with_hashes(hint: object) -> Iterator[type]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
        for field in msgspec.structs.fields(hint):
            yield from kinds_with_hashes(field.type)
    for part in typing.get_args(hint):
        yield from kinds_with_hashes(part)


def test_no_other_kind_carries_hashes_that_would_be_stored_as_they_came() -> None:
    assert {signal.kind for signal in SIGNALS if KeyedHash in kinds_with_hashes(signal)} == projection.HASHED


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., int]:
    """farhand-collector on a database of its own."""
    (tmp_path / "collector.yaml").write_text(f"data_dir: {tmp_path}\n")

    def running(*arguments: str) -> int:
        return run(["--config", str(tmp_path / "collector.yaml"), *arguments])

    assert running("migrate") == 0
    return running


def test_the_command_line_changes_the_key_and_never_shows_it(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("hash-key", "list") == 0
    assert "drawn when the collector starts" in capsys.readouterr().err
    assert command("hash-key", "rotate") == command("hash-key", "rotate") == 0
    assert "epoch 2 drawn. Restart the collector" in capsys.readouterr().err
    assert command("hash-key") == 0
    listed = capsys.readouterr().out
    assert [line.split("  ")[0] for line in listed.splitlines()] == ["epoch 2", "epoch 1"]
    assert command("hash-key", "rotate") == 1
    assert "hash-key retire" in capsys.readouterr().err
    assert command("hash-key", "retire") == 0
    assert "epoch 1 is forgotten" in capsys.readouterr().err
