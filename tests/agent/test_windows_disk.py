"""disk on Windows: who may change a folder by its descriptor, and the key that is used as a folder in memory."""

from __future__ import annotations

import pytest

from agent.disk import DiskError
from agent.disk.sddl import PRIVATE, owner_of, why_unsafe, writers
from agent.disk.windows_marks import RegistryKey
from agent.host.windows import UNTIL_BOOT
from agent.state import Memory
from tests.agent.fake_disk import FakeDisk, Machine
from tests.agent.host.windows import FakeRegistry

ANN = "S-1-5-21-1004336348-1177238915-682003330-1001"
BOB = "S-1-5-21-1004336348-1177238915-682003330-1002"


@pytest.mark.parametrize(
    "descriptor",
    [
        f"O:SY{PRIVATE}",
        f"O:SY{PRIVATE}(A;;CCSWWP;;;AU)",
        f"O:BAG:SY{PRIVATE}",
        f"O:{ANN}{PRIVATE}(A;OICI;FA;;;{ANN})",
        "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;0x1f01ff;;;BA)(A;OICI;0x1200a9;;;BU)",
        f"O:SYD:P(A;OICI;FA;;;SY)(A;OICIIO;GA;;;CO)(D;;FA;;;{BOB})(A;;FR;;;{BOB})",
        "O:S-1-5-18D:(A;ID;FA;;;S-1-5-32-544)S:AI(AU;SA;FA;;;WD)",
    ],
)
def test_a_folder_of_the_system_of_administrators_or_of_this_user_is_private(descriptor: str) -> None:
    assert why_unsafe(descriptor, ANN) is None


@pytest.mark.parametrize(
    ("descriptor", "words"),
    [
        (f"O:{BOB}{PRIVATE}", f"belongs to {BOB}"),
        (PRIVATE, "belongs to nobody known"),
        (f"O:BA{PRIVATE}(A;OICI;FW;;;BU)", "others may write to it (BU)"),
        (f"O:BA{PRIVATE}(A;;0x2;;;WD)(A;;SD;;;{BOB})", f"others may write to it (WD, {BOB})"),
        (f"O:BA{PRIVATE}(A;;CCLC;;;AU)", "others may write to it (AU)"),
        (f"O:BA{PRIVATE}(A;;ZZ;;;AU)", "others may write to it (AU)"),
        ("O:BA", "others may write to it (WD)"),
        ("O:BAD:NO_ACCESS_CONTROL", "others may write to it (WD)"),
    ],
)
def test_a_folder_that_others_own_or_may_change_is_not(descriptor: str, words: str) -> None:
    assert why_unsafe(descriptor, ANN) == words


def test_parts_of_a_descriptor() -> None:
    descriptor = "O:BAG:DUD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
    assert owner_of(descriptor) == "BA"
    assert writers(descriptor) == ("SY", "BA")
    assert owner_of("") == ""


def test_a_key_notices_that_the_state_was_set_back() -> None:
    marks, disk = RegistryKey(FakeRegistry({}), UNTIL_BOOT), FakeDisk(Machine())
    memory = Memory.open(disk, marks, "key", ())
    epoch, old = memory.state.epoch, disk.read("state.json")
    assert old is not None
    memory.update()
    assert Memory.open(disk, marks, "key", ()).state.epoch == epoch
    disk.save("state.json", old)
    assert Memory.open(disk, marks, "key", ()).state.epoch != epoch


def test_a_key_is_a_folder_of_values() -> None:
    key = RegistryKey(FakeRegistry({}), UNTIL_BOOT)
    key.save("a", b"1")
    assert (key.read("a"), key.has("a"), key.sizes()) == (b"1", True, {"a": 1})
    key.remove("a")
    assert not key.has("a")
    with pytest.raises(FileNotFoundError):
        key.rename("a", "b")
    with pytest.raises(DiskError):
        key.inside("a")


def test_a_key_that_may_not_be_written_is_a_disk_that_says_no() -> None:
    with pytest.raises(OSError, match="cannot be written"):
        RegistryKey(FakeRegistry({}, may_write=False), UNTIL_BOOT).save("a", b"1")
