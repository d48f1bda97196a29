"""peripherals: USB devices and monitors as their makers describe them, for tests of what is found among them.

Identities, digests and lengths are facts; no descriptor of a maker is in this tree.
"""

from __future__ import annotations

from typing import Any

from agent.wire.signals import Display, UsbDevice, UsbInterface, UsbStorage

KVMD_POINTER = "3a71a5a23705ee80a711e143d1242e34cb5d85592d4b5e6ac3f20bf8b9830a12"
KVMD_KEYBOARD = "5333cc3a23db1dd7a9e8303e2169a54a7070f69822fa503014834652c24410b6"
NANO_POINTER = "4f5ed1a140900eb71d4879774507b863435ffed8700938b61e4f341a616e5c53"
JETKVM_POINTER = "5e10a7f6cc69f21793b95593064334b5ce36150a399f454ead84d6fe18c06d3f"
GADGET_KEYBOARD = "81c9b5a7d7ecf4b95e29ce9b164556dcabd48b7a4eda208cac92a53506580de8"
PLAIN_MOUSE = "55c045b2daf5c91fd72fd8e1821e02a41c4118ea1badfdf4644e6db3d9970eed"

KEYMIME = "6b65796d696d6570690"


def hid(
    number: int, kind: str = "keyboard", sha256: str | None = None, *usages: str, absolute: bool = False
) -> UsbInterface:
    """A human-input function: keyboard or mouse as boot device, or neither."""
    subclass, protocol = {"keyboard": ("01", "01"), "mouse": ("01", "02")}.get(kind, ("00", "00"))
    said = usages or {"keyboard": ("01:06",), "mouse": ("01:02",), "pointer": ("01:02",)}.get(kind, ("0c:01",))
    return UsbInterface(
        number=number,
        interface_class="03",
        subclass=subclass,
        protocol=protocol,
        hid_sha256=sha256 or f"{number:064x}",
        hid_bytes=63,
        hid_usages=said,
        absolute_pointer=absolute,
    )


def function(number: int, code: str, subclass: str = "00", protocol: str = "00") -> UsbInterface:
    return UsbInterface(number=number, interface_class=code, subclass=subclass, protocol=protocol)


KEYBOARD = hid(0)
MOUSE = hid(1, "mouse")
POINTER = hid(1, "pointer", absolute=True)
STORAGE = function(3, "08", "06", "50")
BOX = (hid(0), hid(1, "pointer", absolute=True), hid(2, "mouse"), STORAGE)
"""What most boxes are made of."""


def usb(ids: str, manufacturer: str | None = None, product: str | None = None, *made_of: Any, **more: Any) -> UsbDevice:
    """A USB device at full speed."""
    vendor_id, _, product_id = ids.partition(":")
    given = {"port": "1-2", "usb_version": "2.00", "speed_mbps": 12.0} | more
    storage = tuple(each for each in made_of if isinstance(each, UsbStorage))
    interfaces = tuple(each for each in made_of if isinstance(each, UsbInterface))
    return UsbDevice(
        vendor_id=vendor_id,
        product_id=product_id,
        manufacturer=manufacturer,
        product=product,
        interfaces=interfaces,
        storage=storage,
        **given,
    )


def drive(vendor: str, model: str, revision: str = "1.00") -> UsbStorage:
    return UsbStorage(vendor=vendor, model=model, revision=revision)


def monitor(vendor: str, product_code: str, name: str | None = None, **more: Any) -> Display:
    """An external monitor."""
    given = {"connector": "card1-HDMI-A-1", "block0_sha256": "0" * 64, "edid_sha256": "0" * 64, "edid_bytes": 256}
    return Display(vendor=vendor, product_code=product_code, name=name, **(given | more))


KVM_DEVICES: dict[str, tuple[UsbDevice, str]] = {
    "PiKVM": (usb("1d6b:0104", "PiKVM", "PiKVM Composite Device", *BOX, serial="CAFEBABE"), "kvm"),
    "PiKVM before 2025": (usb("1d6b:0104", "PiKVM", "Composite KVM Device", *BOX), "kvm"),
    "Comet": (usb("38eb:0104", "Glinet", "Glinet Composite Device", *BOX, serial="CAFEBABE"), "kvm"),
    "Comet of another model": (usb("38eb:0a41", "Glinet", "Glinet Composite Device", *BOX), "kvm"),
    "Comet before 1.7.2": (usb("1d6b:0104", "GLKVM", "Composite KVM Device", *BOX), "kvm"),
    "JetKVM": (usb("1d6b:0104", "JetKVM", "USB Emulation Device", *BOX), "kvm"),
    "JetKVM with the longer name": (usb("1d6b:0104", "JetKVM", "JetKVM USB Emulation Device", *BOX), "kvm"),
    "JetKVM beta": (usb("1d6b:0044", "JetKVM", "JetKVM USB Emulation Device", *BOX), "kvm"),
    "JetKVM as Logitech": (usb("046d:c52b", "Logitech (x64)", "Logitech USB Input Device", *BOX), "posing"),
    "JetKVM as Microsoft": (
        usb("045e:005f", "Microsoft", "Wireless MultiMedia Keyboard", *BOX, serial="5&2a3b4c5&0&1"),
        "posing",
    ),
    "JetKVM as Dell": (
        usb("413c:2011", "Dell Inc.", "Multimedia Pro Keyboard", *BOX, serial="7&1f2e3d4&0&1"),
        "posing",
    ),
    "NanoKVM": (usb("3346:1009", "sipeed", "NanoKVM", *BOX, serial="0123456789ABCDEF"), "kvm"),
    "NanoKVM without a drive": (usb("3346:1009", "sipeed", "NanoKVM", *BOX[:3], usb_version="1.01"), "kvm"),
    "NanoKVM-Pro": (usb("3346:100a", "sipeed", "NanoKVMPro", *BOX), "kvm"),
    "NanoKVM-USB": (usb("1a86:e129", "WCH.CN", "NanoKVM-USB", KEYBOARD, POINTER), "kvm"),
    "One-KVM": (usb("1d6b:0104", "One-KVM", "One-KVM USB Device", *BOX), "kvm"),
    "One-KVM on a CH9329": (usb("1a86:e129", "WCH.CN", "CH9329", KEYBOARD, POINTER), "bridge"),
    "Openterface": (usb("1a86:e129", None, None, KEYBOARD, POINTER), "bridge"),
    "TinyPilot": (usb("1d6b:0104", "tinypilot", "Multifunction USB Device", *BOX[:2], serial=KEYMIME), "kvm"),
    "BliKVM": (usb("1d6b:0106", "smart-kvm", "Multifunction USB Device", *BOX[:2], serial=KEYMIME), "kvm"),
    "BliKVM of other firmware": (usb("1d6b:0104", "BliKVM", None, *BOX[:2]), "kvm"),
    "BliKVM under borrowed ids": (usb("1493:1572", "BliKVM", None, *BOX[:2]), "kvm"),
    "AURGA": (usb("1d6b:0104", "Aurga", "Viewer", *BOX[:2]), "kvm"),
    "PicoKVM": (usb("1d6b:0104", "Luckfox", "LUCKFOX PicoKVM", *BOX), "kvm"),
    "any other gadget with a keyboard": (usb("1d6b:0104", "4K", "4K IP Box", *BOX), "gadget_keyboard"),
    "HID gadget of the kernel": (usb("0525:a4ac", None, None, KEYBOARD), "gadget_keyboard"),
    "ATEN's virtual keyboard": (usb("0557:2419", "ATEN", None, KEYBOARD, MOUSE), "rack"),
    "ATEN's server controller": (usb("0557:2221", "ATEN", None, KEYBOARD, MOUSE), "rack"),
    "Raritan": (usb("14dd:1007", "Raritan", "D2CIM-VUSB", KEYBOARD, MOUSE), "rack"),
    **{f"Avocent {each}": (usb(f"0624:{each}", "Avocent"), "rack") for each in ("0248", "0249", "0251", "0252")},
    **{f"Cisco {each}": (usb(f"0624:{each}", "Avocent"), "rack") for each in ("0402", "0403")},
    "ATEN extender": (usb("0557:2701", "ATEN", "CE700A"), "remarks"),
    "MS2109 capture stick": (usb("534d:2109", None, "USB Video"), "remarks"),
    "MS2109S capture stick": (usb("345f:2109"), "remarks"),
    "MS2130S capture stick": (usb("345f:2132"), "remarks"),
    "CH32V208": (usb("1a86:fe0c"), "remarks"),
}
"""Every product of the tables as it shows up on USB, and the fact that it raises."""

BORROWED: dict[str, UsbDevice] = {
    "PiKVM with the ids of a keyboard": usb(
        "413c:2113", "Dell", "KB216", hid(0), hid(1, "pointer", KVMD_POINTER, absolute=True), hid(2, "mouse")
    ),
    "JetKVM with ids of its owner's choice": usb(
        "17ef:6099", "Lenovo", "Keyboard", hid(0), hid(1, "pointer", JETKVM_POINTER, absolute=True)
    ),
    "NanoKVM with ids of its owner's choice": usb(
        "046d:c31c", "Logitech", "Keyboard K120", KEYBOARD, STORAGE, drive("NanoKVM", "USB Mass Storage", "0520")
    ),
}

KVM_DRIVES = {
    "PiKVM": drive("PiKVM", "Optical Drive"),
    "PiKVM as a stick": drive("PiKVM", "Flash Drive"),
    "Comet": drive("Glinet", "Optical Drive"),
    "Comet as a stick": drive("Glinet", "Flash Drive"),
    "JetKVM": drive("JetKVM", "Virtual Media"),
    "NanoKVM": drive("NanoKVM", "USB Mass Storage", "0520"),
    "NanoKVM-Pro": drive("sipeed", "Flash Drive"),
    "NanoKVM-Pro as a disc": drive("sipeed", "Optical Drive"),
}

TOSHIBA = {"serial_number": 0x88888800, "made_week": 28, "made_year": 2011, "width_cm": 0, "height_cm": 0}
CAFE = {"serial_number": 0x01010101, "serial_text": "CAFEBABE"}
KVM_MONITORS: dict[str, tuple[Display, str]] = {
    "PiKVM": (monitor("LNX", "7770", "PiKVM", **CAFE), "kvm"),
    "PiKVM V3": (monitor("LNX", "7771", "PiKVM V3", **CAFE), "kvm"),
    "PiKVM V4 Mini": (monitor("LNX", "7772", "PiKVM V4 Mini", **CAFE), "kvm"),
    "PiKVM V4 Plus": (monitor("LNX", "7773", "PiKVM V4 Plus", **CAFE), "kvm"),
    "PiKVM of 2022": (monitor("LNX", "8888", "PiKVM", **TOSHIBA), "kvm"),
    "PiKVM of others": (monitor("TSB", "8888", "PI-KVM Video", **TOSHIBA), "kvm"),
    "PiKVM under another name": (monitor("DEL", "4242", "DELL U2412M", **CAFE), "posing"),
    "PiKVM before 2022, BliKVM": (monitor("TSB", "8888", "Toshiba-H2C", **TOSHIBA), "bridge"),
    "TinyPilot": (monitor("TSB", "9876", "TinyPilot", serial_number=0x88888800), "kvm"),
    "first JetKVM": (monitor("TSB", "8801", "T749-fHD720", **TOSHIBA), "bridge"),
    "JetKVM": (monitor("JET", "0001", "JetKVM v1", serial_number=0xC0FFEE01), "kvm"),
    "JetKVM of any size": (monitor("JET", "0001", "JetKVM 1366x7", serial_number=1), "kvm"),
    "JetKVM as Acer": (
        monitor(
            "ACR", "0565", "B246WL", serial_number=0x01613F8A, serial_text="T8NEE0038522", made_week=16, made_year=2020
        ),
        "posing",
    ),
    "JetKVM as ASUS": (
        monitor(
            "AUS", "2487", "PA248QV", serial_number=0x01010101, serial_text="M1LMQS052157", made_week=2, made_year=2021
        ),
        "posing",
    ),
    "JetKVM as Dell": (
        monitor(
            "DEL", "2013", "DELL D2721H", serial_number=0x39363945, serial_text="3S5GQ23", made_week=32, made_year=2020
        ),
        "posing",
    ),
    "NanoKVM": (monitor("SPD", "3301", "NanoKVM", serial_number=0x15, serial_text="NanoKVM"), "kvm"),
    "NanoKVM as Philips": (
        monitor(
            "PHL", "c233", "PHL 342E2", serial_number=0xBA66, serial_text="UK02143047718", made_week=43, made_year=2021
        ),
        "posing",
    ),
    "NanoKVM-USB": (monitor("SPD", "0001", "nano-kvm-usb"), "kvm"),
    "NanoKVM-Pro": (monitor("SPX", "0001", "7CH 1080"), "remarks"),
    "Comet": (monitor("GLI", "c21c", "GLKVM", serial_number=0xE8A, serial_text="891247"), "kvm"),
    "Comet as Lontium": (monitor("LTM", "0000", "LONTIUM"), "remarks"),
    "chip with a name of its owner's": (monitor("HWP", "3047", "HP E233", serial_number=0x88888800), "monitor_denied"),
    "chip with its week, year and size": (
        monitor("XYZ", "3047", "Screen", made_week=28, made_year=2011, width_cm=0, height_cm=0),
        "bridge",
    ),
    "Adder": (monitor("ADR", "0217", "KVM-via-IP"), "rack"),
    "Adder of the other kind": (monitor("ADR", "0257", "KVM-via-IP"), "rack"),
    "Adder by two": (monitor("ADV", "6591", "ADV-KVM-IP-x2"), "rack"),
    "Raritan": (monitor("RAR", "0124", "Raritan CIM"), "rack"),
    "Avocent": (monitor("AVO", "0000", "Smart Cable"), "rack"),
    "ATEN extender": (monitor("ATN", "5780", "EP578"), "rack"),
    "capture stick": (monitor("HJW", "1836", "MACROSILICON"), "remarks"),
    "Elgato": (monitor("EGA", "0082", "HD60 X"), "remarks"),
    "dummy plug": (monitor("ZLX", "0301", "Dummy display"), "remarks"),
}
"""Every product of the tables as it poses on a video cable, and the fact that it raises."""

RECEIVER = usb(
    "046d:c52b",
    "Logitech",
    "USB Receiver",
    hid(0, "keyboard", KVMD_KEYBOARD),
    hid(1, "mouse", PLAIN_MOUSE, "01:02", "0c:01", "01:80"),
    hid(2, "other", None, "ff00:01", "ff00:02"),
    configuration="RQR12.11_B0032",
    device_version="1211",
    max_power_ma=98,
    attributes="a0",
)
VENDOR_PAGE = hid(2, "other", None, "ff00:01")
MTP = function(0, "06", "01", "01")
BENIGN_USB: dict[str, UsbDevice] = {
    "Logitech Unifying receiver": RECEIVER,
    "Logitech Unifying receiver whose texts could not be read": usb("046d:c52b", None, None, hid(0), hid(1, "mouse")),
    "Logitech K120, whose descriptor PiKVM copied": usb(
        "046d:c31c", "Logitech", "USB Keyboard", hid(0, "keyboard", KVMD_KEYBOARD), hid(1, "other"), speed_mbps=1.5
    ),
    "ordinary Dell keyboard": usb("413c:2113", "Dell", "KB216", hid(0), hid(1, "other"), speed_mbps=1.5),
    "real Dell Multimedia Pro Keyboard": usb(
        "413c:2011", "Dell Inc.", "Multimedia Pro Keyboard", hid(0), hid(1, "other")
    ),
    "real Microsoft receiver": usb(
        "045e:005f", "Microsoft", "Wireless MultiMedia Keyboard", hid(0), MOUSE, speed_mbps=1.5
    ),
    "Lenovo mouse": usb("17ef:608d", "Lenovo", "Optical Mouse", hid(0, "mouse", PLAIN_MOUSE), speed_mbps=1.5),
    "cheap combined receiver": usb("1a2c:2124", "SEMICO", "USB Keyboard", hid(0, "keyboard"), hid(1, "mouse")),
    "Arduino Leonardo": usb(
        "2341:8036",
        "Arduino LLC",
        "Arduino Leonardo",
        function(0, "02", "02"),
        function(1, "0a"),
        hid(2, "other", None, "01:02", "01:06"),
        device_class="ef",
    ),
    "CircuitPython board": usb(
        "239a:80f2",
        "Adafruit",
        "CircuitPython board",
        function(0, "02", "02"),
        function(1, "0a"),
        STORAGE,
        hid(4, "other", None, "01:06", "01:02", "0c:01"),
        function(5, "01"),
        function(6, "01"),
        drive("Adafruit", "CircuitPython"),
        device_class="ef",
    ),
    "Raspberry Pi Pico as a keyboard": usb(
        "2e8a:0005", "Raspberry Pi", "Pico", function(0, "02"), function(1, "0a"), hid(2)
    ),
    "security key": usb(
        "1050:0407", "Yubico", "YubiKey OTP+FIDO+CCID", hid(0), hid(1, "other", None, "f1d0:01"), function(2, "0b")
    ),
    "dock: hub": usb("17ef:a391", "Lenovo", "USB3.1 Hub", function(0, "09"), device_class="09", speed_mbps=5000.0),
    "dock: sound": usb(
        "17ef:a396", "Lenovo", "ThinkPad USB-C Dock Audio", function(0, "01"), function(1, "01"), hid(2, "other")
    ),
    "dock: network": usb(
        "17ef:a387", "Lenovo", "USB-C Dock Ethernet", function(0, "ff"), speed_mbps=5000.0, serial="0050B6"
    ),
    "dock: card reader": usb("05e3:0749", "Generic", "USB3.0 Card Reader", STORAGE, drive("Generic", "STORAGE DEVICE")),
    "dock by DisplayLink": usb(
        "17e9:6015",
        "DisplayLink",
        "Dell Universal Dock D6000",
        function(0, "ff"),
        function(1, "01"),
        function(2, "02", "0d"),
        function(3, "0a"),
        speed_mbps=5000.0,
    ),
    "8 kHz gaming mouse": usb("1532:00b3", "Razer", "DeathAdder V3", MOUSE, hid(0), hid(2, "other"), speed_mbps=480.0),
    "8 kHz gaming keyboard": usb("31e3:1100", "Wooting", "Wooting Two HE", hid(0), VENDOR_PAGE, speed_mbps=480.0),
    "8 kHz keyboard of a maker that nobody listed": usb(
        "9999:0001", "Newcomer", "HE 60", hid(0), VENDOR_PAGE, speed_mbps=480.0
    ),
    "8 kHz receiver of Logitech": usb(
        "046d:c547", "Logitech", "USB Receiver", hid(0), MOUSE, VENDOR_PAGE, speed_mbps=480.0
    ),
    "gaming headset with a drive of no keyboard": usb(
        "1532:0510", "Razer", "Kraken", function(0, "01"), hid(3, "other")
    ),
    "webcam": usb(
        "046d:085e", "Logitech", "BRIO", function(0, "0e"), function(2, "01"), hid(5, "other"), speed_mbps=5000.0
    ),
    "headset": usb("0b0e:2456", "GN Netcom", "Jabra EVOLVE2", function(0, "01"), hid(3, "other", None, "0b:05")),
    "printer": usb(
        "03f0:7a12", "HP", "LaserJet", function(0, "07", "01", "02"), function(1, "08"), serial="VNC3R00001"
    ),
    "telephone as MTP": usb("18d1:4ee1", "Google", "Pixel 9", MTP, serial="0A1B2C3D4E5F6G", speed_mbps=480.0),
    "telephone as RNDIS": usb(
        "04e8:6863", "SAMSUNG", "SAMSUNG_Android", function(0, "e0", "01", "03"), function(1, "0a")
    ),
    "telephone with a drive of Linux": usb("04e8:685d", "SAMSUNG", "Galaxy", STORAGE),
    "memory stick": usb(
        "0781:5581", "SanDisk", "Ultra", STORAGE, drive("SanDisk", "Ultra"), serial="4C530001230101115142"
    ),
    "drawing tablet": usb(
        "056a:037a",
        "Wacom Co.,Ltd.",
        "CTL-472",
        hid(0, "mouse", None, "01:02", "0d:01", absolute=True),
        hid(1),
    ),
    "touch screen": usb("04f3:2b7c", "ELAN", "Touchscreen", hid(0, "other", None, "0d:04", "01:02", absolute=True)),
    "desk switch": usb("0557:2213", "ATEN", "CS682 KVM Switch", hid(0), MOUSE),
    "switch of Uni Class": usb("10d5:55a2", None, "2Port KVMSwitcher", hid(0), MOUSE),
    "adapter of StarTech": usb("14b0:3431", "StarTech.com", "Gigabit adapter", function(0, "ff")),
    "serial adapter": usb("1a86:7523", None, "USB Serial", function(0, "ff")),
    "fingerprint reader": usb("27c6:55a2", "Goodix", "Fingerprint Device", function(0, "ff"), removable=False),
    "Bluetooth": usb("8087:0026", None, None, function(0, "e0", "01", "01"), removable=False),
    "barcode scanner": usb("05e0:1200", "Symbol Technologies", "Bar Code Scanner", hid(0), serial="S/N:0123"),
    "presenter with two modes": usb("047d:2012", "Kensington", "Presenter", hid(0), hid(1, "mouse"), STORAGE),
}
"""What honest people plug in."""

BENIGN_MONITORS: dict[str, Display] = {
    "laptop panel": monitor("BOE", "0a1d", None, connector="card1-eDP-1", internal=True),
    "Acer with the serial of fifteen": monitor("ACR", "0406", "R240HY", serial_text="T4BAA0012411"),
    "Acer B246WL of somebody": monitor("ACR", "0565", "B246WL", serial_number=0x4420D101, serial_text="T8NEE0098551"),
    "Samsung with the serial of dozens": monitor("SAM", "0f9c", "U32R59x", serial_text="H1AK500000"),
    "Samsung whose name dummy plugs copy": monitor("SAM", "0ccb", "U28E850"),
    "Philips": monitor("PHL", "093f", "PHL 240B9", serial_text="AU12315000047"),
    "Philips 342E2 of somebody": monitor("PHL", "c233", "PHL 342E2", serial_number=0xBB01, serial_text="UK02150011111"),
    "LG": monitor("GSM", "58bb", "IPS235", serial_text="Serial Number"),
    "Lenovo": monitor("LEN", "61e6", "P24q-10", serial_text="U4P00001"),
    "Xiaomi": monitor("XMI", "23a1", "Mi Monitor", serial_text="0000000000000"),
    "portable": monitor("GWD", "1560", "ARZOPA", serial_text="000000000000"),
    "Dell": monitor("DEL", "d0c7", "DELL U2419H", serial_number=0x4C425A4C, serial_text="7YGFG03"),
    "Dell D2721H of somebody": monitor("DEL", "2013", "DELL D2721H", serial_number=0x39363946, serial_text="4T6HR34"),
    "ASUS PA248QV of somebody": monitor("AUS", "2487", "PA248QV", serial_number=0x01010101, serial_text="M3LMQS100001"),
    "cheap television": monitor("HEC", "0030", "HDMI"),
    "television without a name": monitor("TXD", "0000", None, serial_number=0x01010101),
    "television of Realtek": monitor("RTK", "3b3a", "HDMI", serial_number=0x01010101, serial_text="demoset-1"),
    "projector": monitor("EPS", "a042", "EPSON PJ", width_cm=0, height_cm=0),
    "Toshiba television": monitor("TSB", "0108", "TOSHIBA-TV", serial_number=1),
    "Lanix": monitor("LNX", "1234", "LANIX"),
    "desk switch": monitor("SFX", "0100", "HDMI2.0 KVM"),
    "ATEN switch": monitor("ATN", "0001", "ATEN_4KHDMI"),
    "second screen of an ASUS laptop": monitor(
        "TSB", "8888", "ScreenXpert-", serial_number=0x88888800, made_week=28, made_year=2011, width_cm=6, height_cm=13
    ),
    "glasses": monitor("MRG", "3132", "nreal air", serial_number=0x88888800, made_week=8, made_year=2018, width_cm=12),
    "projector of Dell": monitor("DEL", "4050", "DELL M115HD", width_cm=0, height_cm=0),
    "receiver of a wall": monitor("EXP", "0901", "EP-HDMI-RX"),
}
"""Monitors of honest people; identities of the first ten are as often seen as their makers sell them."""
