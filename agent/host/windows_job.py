"""windows_job: a job of Windows around this process, which bounds it and whatever it starts, and ends with it."""

from __future__ import annotations

import ctypes
import struct
from ctypes import c_void_p, create_string_buffer
from typing import Final

from .windows_calls import SYSTEM_FOLDER

_EXTENDED: Final = 9  # JobObjectExtendedLimitInformation
_PROCESS_TIME: Final = 0x2
_PRIORITY: Final = 0x20
_PROCESS_MEMORY: Final = 0x100
_MAY_LEAVE: Final = 0x800
"""JOB_OBJECT_LIMIT_BREAKAWAY_OK: what is started with the wish to leave may; the helper in people's sessions is."""
_QUIET_CRASH: Final = 0x400
"""JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION: a crash shows nobody a window."""
_ENDS_WITH_ITS_HANDLE: Final = 0x2000
_BELOW_NORMAL: Final = 0x4000
_NO_DUMP: Final = 0x3
"""SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX: no window, and no report of the crash, which would hold the key."""


def limits(cpu_s: int, memory_bytes: int) -> bytes:
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION, 64-bit: 144 bytes."""
    flags = _PROCESS_TIME | _PRIORITY | _PROCESS_MEMORY | _QUIET_CRASH | _MAY_LEAVE | _ENDS_WITH_ITS_HANDLE
    basic = struct.pack("<qqI4xQQI4xQII", cpu_s * 10_000_000, 0, flags, 0, 0, 0, 0, _BELOW_NORMAL, 0)
    return basic + bytes(48) + struct.pack("<QQQQ", memory_bytes, 0, 0, 0)


def confine(*, cpu_s: int, memory_bytes: int) -> None:
    """Put this process into a job with these limits. Where the system refuses, it runs on without."""
    kernel = ctypes.CDLL("kernel32.dll", winmode=SYSTEM_FOLDER)
    kernel.SetErrorMode(_NO_DUMP)
    kernel.CreateJobObjectW.restype = kernel.GetCurrentProcess.restype = c_void_p
    job = c_void_p(kernel.CreateJobObjectW(None, None))
    wanted = limits(cpu_s, memory_bytes)
    if job.value and kernel.SetInformationJobObject(job, _EXTENDED, create_string_buffer(wanted, 144), 144):
        # The handle is never closed: the job, and all in it, ends when this process does.
        kernel.AssignProcessToJobObject(job, c_void_p(kernel.GetCurrentProcess()))
