"""hardware: USB devices and monitors as Linux shows them, made from decoded fields.

What is written here is read back by the agent's probes, so a test can describe a device by what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.wire.signals import Display, UsbDevice, UsbInterface

KEYBOARD = UsbInterface(number=0, interface_class="03", subclass="01", protocol="01")
MOUSE = UsbInterface(number=1, interface_class="03", subclass="01", protocol="02")
POINTER = UsbInterface(number=1, interface_class="03", subclass="00", protocol="00")
STORAGE = UsbInterface(number=2, interface_class="08", subclass="06", protocol="50")

BOOT_KEYBOARD = bytes.fromhex(
    "05010906a101 0507 19e029e7 15002501 7501 9508 8102 7508 9501 8101 1900 2965 2565 9506 8100 c0"
)
"""Eight modifiers, one reserved byte, six keys."""
BOOT_MOUSE = bytes.fromhex(
    "05010902a101 0901a100 0509 19012903 15002501 9503 7501 8102"
    "9501 7505 8101 0501 09300931 1581257f 7508 9502 8106 c0c0"
)
"""Three buttons, movement in X and Y."""
TABLET_MOUSE = bytes.fromhex(
    "05010902a101 0901a100 0509 19012903 15002501 9503 7501 8102"
    "9501 7505 8101 0501 09300931 150026ff7f 7510 9502 8102 c0c0"
)
"""Three buttons, a place in X and Y."""


def usb_files(
    *devices: UsbDevice, hid: Mapping[tuple[str, int], bytes] | None = None
) -> tuple[dict[str, str | bytes], dict[str, str]]:
    """Files and links of /sys that show these devices.

    Args:
        hid: report descriptors by port and number of the interface.
    """
    files: dict[str, str | bytes] = {"/sys/bus/usb/devices/usb1/product": "xHCI Host Controller\n"}
    links: dict[str, str] = {}
    disks = iter("abcdefgh")
    for device in devices:
        folder = f"/sys/bus/usb/devices/{device.port}"
        files[f"{folder}/descriptors"] = descriptors(device)
        files[f"{folder}/bConfigurationValue"] = "1\n"
        files[f"{folder}/speed"] = f"{device.speed_mbps:g}\n"
        for name in ("manufacturer", "product", "serial", "configuration"):
            if (text := getattr(device, name)) is not None:
                files[f"{folder}/{name}"] = f"{text}\n"
        if device.removable is not None:
            files[f"{folder}/removable"] = "removable\n" if device.removable else "fixed\n"
        for each in device.interfaces:
            below = f"{folder}:1.{each.number}"
            files[f"{below}/bInterfaceClass"] = f"{each.interface_class}\n"
            files[f"{below}/bInterfaceNumber"] = f"{each.number:02x}\n"
            report = (hid or {}).get((device.port, each.number))
            if report is not None:
                name = f"0003:{device.vendor_id.upper()}:{device.product_id.upper()}.0001"
                files[f"{below}/{name}/report_descriptor"] = report
        for drive in device.storage:
            disk = f"sd{next(disks)}"
            for entry, text in (("vendor", drive.vendor), ("model", drive.model), ("rev", drive.revision)):
                files[f"/sys/block/{disk}/device/{entry}"] = f"{text:<8}\n"
            where = f"/sys/devices/pci0000:00/0000:00:14.0/usb1/{device.port}/{device.port}:1.2/host0/target0:0:0"
            links[f"/sys/block/{disk}"] = f"{where}/0:0:0:0/block/{disk}"
    return files, links


def descriptors(device: UsbDevice) -> bytes:
    """The device's descriptors as the kernel keeps them."""
    major, _, minor = device.usb_version.partition(".")
    version = int(major or "2", 16) << 8 | int(minor or "0", 16)
    head = bytes((18, 1)) + version.to_bytes(2, "little") + bytes((int(device.device_class, 16), 0, 0, 64))
    head += b"".join(int(each, 16).to_bytes(2, "little") for each in (device.vendor_id, device.product_id))
    head += int(device.device_version, 16).to_bytes(2, "little") + bytes((1, 2, 3, 1))
    body = b"".join(
        bytes((9, 4, each.number, 0, 1, *(int(code, 16) for code in (each.interface_class, each.subclass))))
        + bytes((int(each.protocol, 16), 0))
        + bytes((7, 5, 0x81, 3, 8, 0, 10))
        for each in device.interfaces
    )
    power = device.max_power_ma // (8 if version >= 0x0300 else 2)
    total = (9 + len(body)).to_bytes(2, "little")
    count = len(device.interfaces)
    return head + bytes((9, 2)) + total + bytes((count, 1, 0, int(device.attributes, 16), power)) + body


def display_files(*displays: Display) -> dict[str, str | bytes]:
    """Files of /sys that show these monitors, and a connector where none is plugged in."""
    files: dict[str, str | bytes] = {"/sys/class/drm/card1-DP-9/status": "disconnected\n"}
    for display in displays:
        files[f"/sys/class/drm/{display.connector}/status"] = "connected\n"
        files[f"/sys/class/drm/{display.connector}/edid"] = edid(display) if display.readable else b""
    return files


def edid(display: Display) -> bytes:
    """An EDID with these fields: one block, and one of the CTA where the monitor has sound."""
    letters = sum(
        (ord(letter) - ord("@")) << shift for letter, shift in zip(display.vendor or "AAA", (10, 5, 0), strict=True)
    )
    block = bytearray(128)
    block[0:8] = bytes.fromhex("00ffffffffffff00")
    block[8:10] = letters.to_bytes(2, "big")
    block[10:12] = int(display.product_code or "0", 16).to_bytes(2, "little")
    block[12:16] = (display.serial_number or 0).to_bytes(4, "little")
    block[16:18] = bytes((display.made_week or 0, (display.made_year or 1990) - 1990))
    block[18:23] = bytes((1, 4, 0x80, display.width_cm or 0, display.height_cm or 0))
    block[54:72] = _timing(display.preferred)
    texts = [(tag, text) for tag, text in ((0xFF, display.serial_text), (0xFC, display.name)) if text is not None]
    for at, (tag, text) in zip((72, 90), texts, strict=False):
        block[at : at + 18] = bytes((0, 0, 0, tag, 0)) + (text.encode("latin-1") + b"\n").ljust(13)[:13]
    if display.most_clock_mhz is not None:
        block[108:126] = bytes((0, 0, 0, 0xFD, 0, 50, 75, 30, 160, display.most_clock_mhz // 10, 0, 10)).ljust(18)
    block[126] = int(display.has_audio)
    whole = [block]
    if display.has_audio:
        whole.append(bytearray((2, 3, 4, 0x40, *bytes(124))))
    for each in whole:
        each[127] = -sum(each[:127]) % 256
    return b"".join(whole)


def _timing(preferred: str | None) -> bytes:
    """A detailed timing with blanking of 160 by 30."""
    if preferred is None:
        return bytes(18)
    size, _, rate = preferred.partition("@")
    width, height = map(int, size.split("x"))
    clock = round((width + 160) * (height + 30) * float(rate) / 10_000)
    across = bytes((width & 255, 160, (width >> 8) << 4))
    return clock.to_bytes(2, "little") + across + bytes((height & 255, 30, (height >> 8) << 4)) + bytes(10)


def machine(
    usb: Iterable[UsbDevice] = (),
    displays: Iterable[Display] = (),
    hid: Mapping[tuple[str, int], bytes] | None = None,
) -> tuple[dict[str, str | bytes], dict[str, str]]:
    """Files and links of a laptop with these devices."""
    files, links = usb_files(*usb, hid=hid)
    return files | display_files(*displays), links
