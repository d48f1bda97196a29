r"""windows_places: where Windows keeps what belongs to all users, and what the installer left for the agent.

The installer knows the collector's address and an enrolment token by its properties, and writes both below
HKLM\SOFTWARE\Farhand\Agent. The token moves at once from there into the agent's own folder, which users cannot read.
"""

from __future__ import annotations

import os
import sys
from typing import Final

PROFILES: Final = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList"
INSTALLED: Final = r"SOFTWARE\Farhand\Agent"
URL: Final = "ServerUrl"
TOKEN: Final = "EnrolmentToken"
HELPER: Final = sys.executable.rpartition("\\")[0] + r"\pythonw.exe"
"""What counts input in people's sessions, with a module of the agent: it shows no window."""

if sys.platform == "win32":
    import winreg

    def program_data() -> str:
        r"""The folder of data of all users, such as C:\ProgramData. The environment is not asked: a service may have
        another one."""
        found = _text(PROFILES, "ProgramData")
        return os.path.expandvars(found) if found else os.environ.get("PROGRAMDATA", r"C:\ProgramData")

    def installed_url() -> str | None:
        """The collector's address as the installer was given it; None where it was given none."""
        return _text(INSTALLED, URL)

    def take_token() -> str | None:
        """The enrolment token that the installer was given, which is then no longer in the registry; None where there
        is none.

        Raises:
            OSError: it cannot be deleted there.
        """
        token = _text(INSTALLED, TOKEN)
        if token is not None:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, INSTALLED, 0, winreg.KEY_SET_VALUE | _NATIVE) as key:
                winreg.DeleteValue(key, TOKEN)
        return token

    _NATIVE: Final = winreg.KEY_WOW64_64KEY

    def _text(path: str, name: str) -> str | None:
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path, 0, winreg.KEY_READ | _NATIVE) as key:
                value = winreg.QueryValueEx(key, name)[0]
        except OSError:
            return None
        return value.strip() or None if isinstance(value, str) else None
