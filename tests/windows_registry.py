r"""windows_registry: USB devices and monitors as the registry of Windows shows them, made from decoded fields.

The layout is that of HKLM\SYSTEM\CurrentControlSet\Enum of Windows 10 and 11: a device of several functions has a node
for each of them, linked by ParentIdPrefix; collections of human-input devices and drives are nodes of their own; what
is there stands in Services\<service>\Enum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from agent.host import HidDevice, RegistryValue
from agent.wire.signals import Display, UsbDevice, UsbInterface
from tests.hardware import edid
from tests.hid import collections

SYSTEM = r"HKLM\SYSTEM\CurrentControlSet"
DRIVERS = {"01": "usbaudio", "02": "usbser", "03": "HidUsb", "07": "usbprint", "08": "USBSTOR", "09": "USBHUB3",
           "0e": "usbvideo", "e0": "BTHUSB"}  # fmt: skip
UNIQUE_ID, REMOVABLE = 0x10, 0x04
BUS_NAME = r"{540b947e-8b40-45bc-a8a2-6a0b894cbda2}\0004"
ARRIVAL = r"{83da6326-97a6-4088-9453-a1923f573b29}\0066"
REMOVAL = r"{83da6326-97a6-4088-9453-a1923f573b29}\0067"
Outlines = Mapping[tuple[str, int], str]
"""Outlines of report descriptors by port and number of the interface."""


class Registry:
    """The keys of a Windows that knows these devices, and what it tells of human-input devices."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, RegistryValue]] = {}
        self.hid: list[HidDevice] = []
        self._present: dict[str, list[str]] = defaultdict(list)
        self._count = 0x1A2B3C4

    def usb(self, *devices: UsbDevice, outlines: Outlines | None = None, gone: bool = False) -> Registry:
        """Devices that are plugged in, or that were.

        Args:
            outlines: what their human-input functions can report.
        """
        for device in devices:
            self._usb(device, outlines or {}, gone)
        return self

    def displays(self, *displays: Display, gone: bool = False) -> Registry:
        """Monitors that are connected, or that were; one that a driver shows is an adapter without hardware."""
        for display in displays:
            self._count += 1
            if display.virtual:
                bus = "ROOT\\DISPLAY" if display.connector.startswith("Root") else f"SWD\\{display.connector}"
                values: dict[str, RegistryValue] = {
                    "HardwareID": (display.connector,),
                    "ClassGUID": "{4d36e968-e325-11ce-bfc1-08002be10318}",
                }
                self._node(f"{bus}\\{self._count:04x}", "WUDFRd", values, gone)
                continue
            model = f"{display.vendor or 'Default_Monitor'}{(display.product_code or '').upper()}"
            path = f"DISPLAY\\{model}\\4&{self._count:x}&0&UID{self._count & 0xFFFF}"
            self._node(path, "monitor", {"HardwareID": (f"MONITOR\\{model}",)}, gone, display.removed_at)
            data = edid(display) if display.readable else None
            self.keys[f"{SYSTEM}\\Enum\\{path}\\Device Parameters"] = {"EDID": data} if data is not None else {}
        return self

    @property
    def all(self) -> dict[str, dict[str, RegistryValue]]:
        """The whole registry."""
        lists = {
            f"{SYSTEM}\\Services\\{service}\\Enum": {str(at): path for at, path in enumerate(paths)}
            | {"Count": len(paths), "NextInstance": len(paths)}
            for service, paths in self._present.items()
        }
        return self.keys | lists

    def _usb(self, device: UsbDevice, outlines: Outlines, gone: bool) -> None:
        self._count += 1
        ids = f"VID_{device.vendor_id.upper()}&PID_{device.product_id.upper()}"
        instance = device.serial or f"5&{self._count:x}&0&{self._count & 0xF}"
        functions = [each for each in device.interfaces if not _belongs_to_another(each)]
        several = len(functions) > 1
        revision = f"USB\\{ids}&REV_{device.device_version.upper()}"
        hub, _, port = device.port.partition("-")
        values: dict[str, RegistryValue] = {
            "HardwareID": (revision, f"USB\\{ids}"),
            "CompatibleIDs": _whole(device) if several or not functions else _classes(functions[0]),
            "Capabilities": (UNIQUE_ID if device.serial else 0)
            | (0 if device.removable is False else REMOVABLE)
            | 0x80,
            "LocationInformation": f"Port_#{int(port.split('.')[-1]):04d}.Hub_#{int(hub):04d}",
        }
        service = "usbccgp" if several else _service(functions[0]) if functions else "WINUSB"
        prefix = self._node(f"USB\\{ids}\\{instance}", service, values, gone, device.removed_at, device.product)
        for number, function in enumerate(functions):
            model, node = ids, prefix
            if several:
                model = f"{ids}&MI_{function.number:02X}"
                more: dict[str, RegistryValue] = {
                    "HardwareID": (f"{revision}&MI_{function.number:02X}", f"USB\\{model}"),
                    "CompatibleIDs": _classes(function),
                }
                node = self._node(f"USB\\{model}\\{prefix}&{number:04x}", _service(function), more, gone)
            if function.interface_class == "03":
                outline = outlines.get((device.port, function.number), "")
                self._collections(model, node, device, outline, function, gone)
            if function.interface_class == "08":
                for at, drive in enumerate(device.storage):
                    names = (f"{kind}_{text.replace(' ', '_')}" for kind, text in
                             (("Ven", drive.vendor), ("Prod", drive.model), ("Rev", drive.revision)))  # fmt: skip
                    where = node if several else device.serial or prefix
                    self._node(f"USBSTOR\\Disk&{'&'.join(names)}\\{where}&{at}", "disk", {}, gone)

    def _collections(
        self, model: str, prefix: str, device: UsbDevice, outline: str, function: UsbInterface, gone: bool
    ) -> None:
        told = collections(outline)
        usages = [(each.page, each.usage) for each in told]
        usages = usages or [tuple(int(code, 16) for code in each.split(":")) for each in function.hid_usages]  # type: ignore[misc]
        for number, (page, usage) in enumerate(usages):
            part = f"{model}&Col{number + 1:02d}" if len(usages) > 1 else model
            path = f"HID\\{part}\\{prefix}&{number:04x}"
            values: dict[str, RegistryValue] = {
                "HardwareID": (f"HID\\{part}", f"HID_DEVICE_UP:{page:04X}_U:{usage:04X}", "HID_DEVICE")
            }
            self._node(path, "kbdhid" if (page, usage) == (1, 6) else "", values, gone)
            if told and not gone:
                self.hid.append(
                    HidDevice(instance=path, manufacturer=device.manufacturer or "", collection=told[number])
                )

    def _node(
        self,
        path: str,
        service: str,
        values: Mapping[str, RegistryValue],
        gone: bool,
        removed_at: datetime | None = None,
        name: str | None = None,
    ) -> str:
        """Write a node; returns the prefix of its children."""
        self._count += 1
        prefix = f"7&{self._count:x}&0"
        key = f"{SYSTEM}\\Enum\\{path}"
        self.keys[key] = {**values, "ParentIdPrefix": prefix} | ({"Service": service} if service else {})
        if name is not None:
            self.keys[f"{key}\\Properties\\{BUS_NAME}"] = {"": f"{name}\0".encode("utf-16-le")}
        if gone:
            if removed_at is not None:
                self.keys[f"{key}\\Properties\\{REMOVAL}"] = {"": filetime(removed_at)}
        elif service:
            self._present[service].append(path)
        else:
            self.keys[f"{key}\\Control"] = {}
        return prefix


def filetime(at: datetime) -> bytes:
    """A moment as Windows writes it: tenths of microseconds since 1601."""
    return (round((at - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10**7).to_bytes(8, "little")


def registry(
    usb: Iterable[UsbDevice] = (), displays: Iterable[Display] = (), outlines: Outlines | None = None
) -> Registry:
    """A Windows with these devices."""
    return Registry().usb(*usb, outlines=outlines).displays(*displays)


def _belongs_to_another(function: UsbInterface) -> bool:
    """Windows takes the streams of sound and video, and the data of a serial port, for parts of one function."""
    return (function.interface_class, function.subclass) in {("01", "02"), ("01", "03"), ("0e", "02")} or (
        function.interface_class == "0a"
    )


def _service(function: UsbInterface) -> str:
    return DRIVERS.get(function.interface_class, "WINUSB")


def _classes(function: UsbInterface) -> tuple[str, ...]:
    one = f"USB\\Class_{function.interface_class.upper()}"
    two = f"{one}&SubClass_{function.subclass.upper()}"
    return f"{two}&Prot_{function.protocol.upper()}", two, one


def _whole(device: UsbDevice) -> tuple[str, ...]:
    one = f"USB\\DevClass_{device.device_class.upper()}"
    return f"{one}&SubClass_00&Prot_00", f"{one}&SubClass_00", one, "USB\\COMPOSITE"
