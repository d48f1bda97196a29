"""test_why_not: where no delay line can be made, the reason says what is missing."""

from __future__ import annotations

import os

import pytest

from tests.farm import delay_line


def test_without_root_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert delay_line.why_not() == "network namespaces need root"


def test_a_missing_program_is_told_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/nowhere")
    assert delay_line.why_not() == "install the Debian packages coreutils, iproute2, util-linux"
