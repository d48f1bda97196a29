"""pe: what Windows programs say of themselves, and what becomes of files that are none."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import pe

from .programs import windows_program


def told(file: bytes) -> tuple[str, ...]:
    return pe.names(lambda at, most: file[at : at + most])


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("padding", [0, 3_000_000])
def test_a_program_says_its_original_name_and_its_product(wide: bool, padding: int) -> None:
    file = windows_program(
        wide=wide, padding=padding, CompanyName="Maker", OriginalFilename="AnyDesk.exe", ProductName="AnyDesk"
    )
    assert told(file) == ("AnyDesk.exe", "AnyDesk")


def test_only_what_is_asked_for_is_read() -> None:
    file = windows_program(padding=5_000_000, ProductName="X")
    asked: list[int] = []

    def read(at: int, most: int) -> bytes:
        asked.append(most)
        return file[at : at + most]

    assert pe.names(read) == ("X",)
    assert sum(asked) < 100_000


def test_what_is_no_program_or_has_no_version_says_nothing() -> None:
    assert told(b"") == told(b"#!/bin/sh\n") == told(b"MZ") == told(b"MZ" + bytes(400)) == ()
    assert told(windows_program(resource=b"")) == told(windows_program(FileVersion="1.0")) == ()


@given(st.data())
def test_a_damaged_program_never_breaks_the_reader(data: st.DataObject) -> None:
    file = bytearray(windows_program(OriginalFilename="AnyDesk.exe", ProductName="AnyDesk"))
    for _ in range(data.draw(st.integers(1, 8))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(file[: data.draw(st.integers(0, len(file)))])
    assert all(isinstance(text, str) and len(text) <= pe.MOST_CHARACTERS for text in told(cut))


def test_a_program_of_an_unknown_kind_has_no_names() -> None:
    odd = bytearray(windows_program(OriginalFilename="AnyDesk.exe"))
    at = struct.unpack_from("<I", odd, 0x3C)[0]
    struct.pack_into("<H", odd, at + 24, 0x107)  # a ROM image
    assert told(bytes(odd)) == ()
