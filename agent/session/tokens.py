"""tokens: who a process, a session or the other end of a pipe is, by the kernel's word (Windows): a SID as text."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_int, c_uint32, c_void_p

SYSTEM = "S-1-5-18"
SYSTEM_FOLDER = 0x800
"""LOAD_LIBRARY_SEARCH_SYSTEM32"""
_QUERY = 0x8
_USER = 1
_LIMITED = 0x1000
"""PROCESS_QUERY_LIMITED_INFORMATION"""


class Tokens:
    """The calls. Each raises OSError, with the number of Windows, where the system refuses."""

    def __init__(self) -> None:
        self.kernel = ctypes.CDLL("kernel32.dll", winmode=SYSTEM_FOLDER)
        self.rights = ctypes.CDLL("advapi32.dll", winmode=SYSTEM_FOLDER)
        for call in ("GetCurrentProcess", "GetCurrentThread", "OpenProcess"):
            getattr(self.kernel, call).restype = c_void_p

    def own_sid(self) -> str:
        """Of this process's user."""
        return self._sid_of_process(c_void_p(self.kernel.GetCurrentProcess()))

    def own_session(self) -> int:
        return self.session_of(int(self.kernel.GetCurrentProcessId()))

    def session_of(self, pid: int) -> int:
        session = c_uint32()
        self.check(self.kernel.ProcessIdToSessionId(c_uint32(pid), byref(session)), "ProcessIdToSessionId")
        return session.value

    def listens(self, pipe: int) -> tuple[str, int]:
        """User and session of the process that made a pipe."""
        pid = c_uint32()
        self.check(self.kernel.GetNamedPipeServerProcessId(c_void_p(pipe), byref(pid)), "GetNamedPipeServerProcessId")
        process = c_void_p(self.kernel.OpenProcess(_LIMITED, 0, pid))
        self.check(process.value, "OpenProcess")
        try:
            return self._sid_of_process(process), self.session_of(pid.value)
        finally:
            self.kernel.CloseHandle(process)

    def asked(self, pipe: int) -> str:
        """User of whoever connected to a pipe and has said something: a program may not open those of the system, but
        be told for whom it works."""
        self.check(self.rights.ImpersonateNamedPipeClient(c_void_p(pipe)), "ImpersonateNamedPipeClient")
        token = c_void_p()
        try:
            thread = c_void_p(self.kernel.GetCurrentThread())
            opened = self.rights.OpenThreadToken(thread, _QUERY, c_int(1), byref(token))
        finally:
            self.check(self.rights.RevertToSelf(), "RevertToSelf")
        self.check(opened, "OpenThreadToken")
        return self._closed(token)

    def sid_of(self, token: c_void_p) -> str:
        """The user that a token stands for."""
        buffer, size = (c_void_p * 32)(), c_uint32()  # TOKEN_USER: a pointer to the SID, which lies behind it
        got = self.rights.GetTokenInformation(token, _USER, buffer, ctypes.sizeof(buffer), byref(size))
        self.check(got, "GetTokenInformation")
        text = c_void_p()
        self.check(self.rights.ConvertSidToStringSidW(c_void_p(buffer[0]), byref(text)), "ConvertSidToStringSid")
        try:
            return ctypes.wstring_at(text.value or 0)
        finally:
            self.kernel.LocalFree(text)

    def check(self, done: int | None, call: str) -> None:
        """Raise where a call failed."""
        if not done:
            number = int(self.kernel.GetLastError())
            kind = PermissionError if number == 5 else OSError
            raise kind(number, f"{call}: error {number} of Windows")

    def _sid_of_process(self, process: c_void_p) -> str:
        token = c_void_p()
        self.check(self.rights.OpenProcessToken(process, _QUERY, byref(token)), "OpenProcessToken")
        return self._closed(token)

    def _closed(self, token: c_void_p) -> str:
        try:
            return self.sid_of(token)
        finally:
            self.kernel.CloseHandle(token)
