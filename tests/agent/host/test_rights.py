"""What a process without a capability does not see, said in words."""

from __future__ import annotations

import pytest

from agent.host.rights import lost, may_listen

BOTH, READ_ONLY, TRACE_ONLY, NONE = "0000000000080004", "0000000000000004", "0000000000080000", "0000000000000000"


@pytest.mark.parametrize(("effective", "missing"), [(BOTH, 0), (READ_ONLY, 1), (TRACE_ONLY, 1), (NONE, 2)])
def test_every_missing_capability_is_named(effective: str, missing: int) -> None:
    status = f"Name:\tpython\nCapPrm:\t000001ffffffffff\nCapEff:\t{effective}\nCapBnd:\t000001ffffffffff\n"
    assert len(lost(status)) == missing


def test_what_stays_unseen_is_said_in_words() -> None:
    serial, sockets = lost(f"CapEff:\t{NONE}\n")
    assert (
        serial
        == "without CAP_DAC_READ_SEARCH stays unseen: the serial number, the system UUID and units in home folders"
    )
    assert sockets.startswith("without CAP_SYS_PTRACE stays unseen: which program of another user holds a socket")


def test_a_status_that_says_nothing_promises_nothing() -> None:
    assert len(lost("")) == 2


def test_headers_of_packets_need_a_right_of_their_own() -> None:
    assert may_listen("CapEff:\t0000000000002000\n")
    assert not may_listen("CapEff:\t0000000000080004\n")
    assert not may_listen("Name:\tpython\n")
