"""windows_security: makes and reads folders of Windows with their security descriptors, by ctypes."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_void_p, c_wchar_p
from typing import Final

from agent.session.tokens import Tokens

SYSTEM_FOLDER: Final = 0x800
"""LOAD_LIBRARY_SEARCH_SYSTEM32"""
_REVISION: Final = 1
_FILE_OBJECT: Final = 1
_OWNER_AND_LIST: Final = 0x1 | 0x4
_REPLACE_AND_WAIT: Final = 0x1 | 0x8
"""MOVEFILE_REPLACE_EXISTING, MOVEFILE_WRITE_THROUGH: the new name is on the disk when the call returns."""
_EXISTS: Final = 183
_DENIED: Final = 5


class SecurityCalls:
    """The calls. Each raises OSError, with the number of Windows, where the system refuses."""

    def __init__(self) -> None:
        self._kernel = ctypes.CDLL("kernel32.dll", winmode=SYSTEM_FOLDER)
        self._rights = ctypes.CDLL("advapi32.dll", winmode=SYSTEM_FOLDER)

    def make_folder(self, path: str, descriptor: str) -> None:
        """Make a folder with a descriptor from its first moment on; nothing happens where there is one of its name."""
        made = c_void_p()
        convert = self._rights.ConvertStringSecurityDescriptorToSecurityDescriptorW
        self._check(convert(c_wchar_p(descriptor), _REVISION, byref(made), None), path)
        try:
            attributes = (c_void_p * 3)(24, made.value, None)  # SECURITY_ATTRIBUTES: length, descriptor, inherited
            if not self._kernel.CreateDirectoryW(c_wchar_p(path), attributes):
                number = self._kernel.GetLastError()
                if number != _EXISTS:
                    raise _refused(number, path)
        finally:
            self._kernel.LocalFree(made)

    def descriptor_of(self, path: str) -> str:
        """Owner and list of a folder, as text."""
        found, text = c_void_p(), c_void_p()
        get = self._rights.GetNamedSecurityInfoW
        number = get(c_wchar_p(path), _FILE_OBJECT, _OWNER_AND_LIST, None, None, None, None, byref(found))
        if number:
            raise _refused(number, path)
        try:
            convert = self._rights.ConvertSecurityDescriptorToStringSecurityDescriptorW
            self._check(convert(found, _REVISION, _OWNER_AND_LIST, byref(text), None), path)
            return self._taken(text)
        finally:
            self._kernel.LocalFree(found)

    def own_sid(self) -> str:
        """The SID of this process's user."""
        return Tokens().own_sid()

    def move(self, path: str, new_path: str) -> None:
        """Rename a file or folder, over a file of that name, durably."""
        if not self._kernel.MoveFileExW(c_wchar_p(path), c_wchar_p(new_path), _REPLACE_AND_WAIT):
            raise _refused(self._kernel.GetLastError(), path)

    def _check(self, done: int, subject: str) -> None:
        if not done:
            raise _refused(self._kernel.GetLastError(), subject)

    def _taken(self, text: c_void_p) -> str:
        try:
            return ctypes.wstring_at(text.value or 0)
        finally:
            self._kernel.LocalFree(text)


def _refused(number: int, subject: str) -> OSError:
    if number == _DENIED:
        return PermissionError(number, "access is denied", subject)
    return OSError(number, f"error {number} of Windows", subject)
