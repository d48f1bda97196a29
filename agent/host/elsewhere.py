"""elsewhere: what only other systems have: the registry and the calls of Windows, asked on one that lacks them."""

from __future__ import annotations

from collections.abc import Mapping

from agent.host import Adapter, HidDevice, HostError, PowerState, Radio, RegistryValue


class Elsewhere:
    """The answers of a machine on which files and programs say these things, or nothing does."""

    def registry_keys(self, path: str) -> tuple[str, ...]:
        del path
        return ()

    def registry_values(self, path: str) -> Mapping[str, RegistryValue]:
        del path
        return {}

    def smbios(self) -> bytes:
        return b""

    def power(self) -> PowerState | None:
        return None

    def radios(self) -> tuple[Radio, ...]:
        return ()

    def hid_devices(self) -> tuple[HidDevice, ...]:
        return ()

    input_helper: str | None = None

    def input_counts(self, lease_s: float) -> bytes:
        del lease_s
        raise HostError("no helper that counts input is built for this system")

    def adapters(self) -> tuple[Adapter, ...]:
        return ()
