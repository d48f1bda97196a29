"""The enrolment token, typed by a person at a terminal."""

from __future__ import annotations

import os
import subprocess
import sys

READ = "from agent.enrol import token_from; print(f'{len(token_from(chr(45)))} characters')"


def test_at_a_terminal_the_token_is_asked_for_ends_with_the_line_and_is_not_shown() -> None:
    person, terminal = os.openpty()
    ends = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    with subprocess.Popen([sys.executable, "-c", READ], start_new_session=True, **ends) as asking:
        assert b"Enrolment token: " in read_until(person, b"token: ")
        os.write(person, b"fhe_secret\n")
        seen = read_until(person, b"characters")
        assert asking.wait(20) == 0
    os.close(person)
    os.close(terminal)
    assert b"10 characters" in seen
    assert b"fhe_secret" not in seen


def read_until(terminal: int, words: bytes) -> bytes:
    """What a terminal shows until these words."""
    seen = b""
    while words not in seen:
        seen += os.read(terminal, 1024)
    return seen
