"""What is acknowledged is on disk first: the order of the system calls of both real programs, seen by strace."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.chain.conftest import Chain

CAN_TRACE = (
    shutil.which("strace") is not None
    and subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CAN_TRACE, reason="strace is missing (package strace) or may not trace here"),
]
CALLS = "openat,write,writev,pwrite64,sendto,sendmsg,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat"


def traced(log: Path) -> list[str]:
    """System calls in the order in which they ended; those that were interrupted are put together again."""
    begun: dict[str, str] = {}
    done = []
    for line in log.read_text(errors="replace").splitlines():
        pid, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            begun[pid] = call.removesuffix("<unfinished ...>").strip()
        elif resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", call):
            done.append(begun.pop(pid, "") + resumed[1])
        else:
            done.append(call)
    return done


def test_the_collector_answers_after_its_log_was_flushed(chain: Chain, tmp_path: Path) -> None:
    log = tmp_path / "trace"
    chain.start("strace", "-f", "-y", "-s", "60", "-o", str(log), "-e", f"trace={CALLS}")
    chain.enrol()
    assert chain.cycle().returncode == 0
    chain.stop()

    calls = traced(log)
    answers = [index for index, call in enumerate(calls) if "HTTP/1.1 202" in call]
    assert answers
    for answer in answers:
        written = max(
            index for index, call in enumerate(calls[:answer]) if call.startswith("pwrite64(") and "-wal>" in call
        )
        flushed = [call for call in calls[written:answer] if re.match(r"f(data)?sync\(\d+<[^>]*-wal>\)\s+= 0", call)]
        assert flushed, "a 202 left before the write-ahead log was flushed"


def test_the_agent_sends_what_it_flushed_and_forgets_what_was_acknowledged(chain: Chain, tmp_path: Path) -> None:
    chain.start()
    chain.enrol()
    log = tmp_path / "trace"
    done = chain.cycle("strace", "-f", "-y", "-s", "60", "-o", str(log), "-e", f"trace={CALLS}")
    assert done.returncode == 0, done.stderr

    calls = traced(log)

    def position(pattern: str, after: int = 0) -> int:
        for index, call in enumerate(calls[after:], after):
            if re.search(pattern, call):
                return index
        raise AssertionError(f"no call like {pattern} after the first {after}")

    file_flushed = position(r"^fsync\(\d+<[^>]*/spool/[^>]*>\)\s+= 0")
    renamed = position(r"^rename\w*\(.*\.report", file_flushed)
    folder_flushed = position(r"^fsync\(\d+<[^>]*/spool>\)\s+= 0", renamed)
    sent = position(r"POST /agent/v1/reports", folder_flushed)
    state_flushed = position(r"^fsync\(\d+<[^>]*/agent/[^>]*>\)\s+= 0", sent)
    forgotten = position(r"^(unlink|rename)\w*\(.*\.report", state_flushed)
    assert file_flushed < renamed < folder_flushed < sent < state_flushed < forgotten
