r"""windows_registry: keys and values of the Windows registry, as Windows has it, not as 32-bit programs see it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final, Protocol

from agent.host import HostDeniedError, HostError, RegistryValue

MAX_KEYS: Final = 10_000
MAX_VALUES: Final = 2000
MAX_BYTES: Final = 64 * 1024
"""Of one value; longer ones are cut."""


class Registry(Protocol):
    """The registry as the host asks it."""

    def keys(self, path: str) -> tuple[str, ...]:
        """As `Host.registry_keys`."""
        ...

    def values(self, path: str) -> Mapping[str, RegistryValue]:
        """As `Host.registry_values`."""
        ...

    def put_until_boot(self, path: str, name: str, data: bytes) -> None:
        """Set a value of a key of which nothing is left when the system was started anew. It is made where it is
        missing.

        Raises:
            HostDeniedError: this process may not write there.
        """
        ...

    def take_away(self, path: str, name: str) -> None:
        """Delete a value; nothing happens where there is none."""
        ...


def as_value(data: object) -> RegistryValue | None:
    """A value as winreg reads it, bounded; None for an empty one of no type."""
    match data:
        case str():
            return data[: MAX_BYTES // 2]
        case bytes():
            return data[:MAX_BYTES]
        case int():
            return data
        case list():
            return tuple(str(one)[: MAX_BYTES // 2] for one in data[:MAX_VALUES])
        case _:
            return None


if sys.platform == "win32":
    import ctypes
    import winreg

    _ROOTS: Final = {
        "HKLM": winreg.HKEY_LOCAL_MACHINE,
        "HKU": winreg.HKEY_USERS,
        "HKCU": winreg.HKEY_CURRENT_USER,
        "HKCR": winreg.HKEY_CLASSES_ROOT,
    }
    _NATIVE: Final = winreg.KEY_WOW64_64KEY
    _VOLATILE: Final = 1
    _DENIED: Final = 5

    class WindowsRegistry:
        """The registry of this machine, by winreg."""

        def keys(self, path: str) -> tuple[str, ...]:
            found: list[str] = []
            if (key := _open(path, winreg.KEY_READ)) is not None:
                with key:
                    for index in range(min(winreg.QueryInfoKey(key)[0], MAX_KEYS)):
                        try:
                            found.append(winreg.EnumKey(key, index))
                        except OSError:  # one was taken away meanwhile
                            break
            return tuple(sorted(found))

        def values(self, path: str) -> Mapping[str, RegistryValue]:
            found: dict[str, RegistryValue] = {}
            if (key := _open(path, winreg.KEY_READ)) is not None:
                with key:
                    for index in range(min(winreg.QueryInfoKey(key)[1], MAX_VALUES)):
                        try:
                            name, data, _ = winreg.EnumValue(key, index)
                        except OSError:
                            break
                        value = as_value(data)
                        if value is not None:
                            found[name] = value
            return found

        def put_until_boot(self, path: str, name: str, data: bytes) -> None:
            root, _, below = path.partition("\\")
            handle = ctypes.c_void_p()
            # winreg makes lasting keys alone.
            status = ctypes.windll.advapi32.RegCreateKeyExW(
                ctypes.c_void_p(int(_ROOTS[root])),
                below,
                0,
                None,
                _VOLATILE,
                winreg.KEY_WRITE | _NATIVE,
                None,
                ctypes.byref(handle),
                None,
            )
            if status:
                raise (HostDeniedError if status == _DENIED else HostError)(f"{path}: cannot be written")
            try:
                winreg.SetValueEx(int(handle.value or 0), name, 0, winreg.REG_BINARY, data)
            except OSError as error:
                raise HostError(f"{path}: {error.strerror}") from error
            finally:
                ctypes.windll.advapi32.RegCloseKey(handle)

        def take_away(self, path: str, name: str) -> None:
            if (key := _open(path, winreg.KEY_SET_VALUE)) is not None:
                with key:
                    try:
                        winreg.DeleteValue(key, name)
                    except FileNotFoundError:
                        return

    def _open(path: str, access: int) -> winreg.HKEYType | None:
        """A key; None where it does not exist."""
        root, _, below = path.partition("\\")
        try:
            return winreg.OpenKey(_ROOTS[root], below, 0, access | _NATIVE)
        except FileNotFoundError:
            return None
        except KeyError:
            raise HostError(f"{path}: the registry has no {root}") from None
        except PermissionError as error:
            raise HostDeniedError(f"{path}: access is denied") from error
        except OSError as error:
            raise HostError(f"{path}: {error.strerror}") from error
