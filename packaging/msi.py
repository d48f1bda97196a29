"""msi: the agent's installer for Windows, built on Linux by wixl and msibuild of GNOME's msitools.

It holds the agent, the locked libraries, and the embeddable Python of python.org that whoever builds supplies, with its
digest: this project ships no Python of its own.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess  # noqa: TID251 - it runs the tools that build
import tempfile
import uuid
import zipfile
from pathlib import Path
from xml.sax.saxutils import quoteattr

WINDOWS = Path(__file__).resolve().parent / "agent" / "windows"
SPACE = uuid.UUID("8d1a7c52-3e0b-4e0c-9c55-2b0e6f6a1d34")
"""Name space of the ids that are made of names: the same file has the same id in every version."""
SERVICE = "pythonw.exe"
"""Stands in farhand-agent.wxs itself, because the service belongs to it."""
NEEDED = ("python.exe", SERVICE)
BYTECODE = "__pycache__"
MANIFEST = "manifest.sha256"
"""The list by which the agent knows its own files, beside its folder `site`."""
TOOLS = ("wixl", "msibuild")
PYTHON = re.compile(r"python(3\d+)\._pth")
LEFT_OUT = re.compile(r"^(_msi|_sqlite3|winsound|_multiprocessing|_overlapped|_elementtree)\.pyd$|^sqlite3\.dll$")
"""Parts of Python that the agent never imports."""


class MsiError(Exception):
    """The installer cannot be built. The message says what is missing and what to do."""


def why_not() -> str | None:
    """Which tool is missing; None where the installer can be built."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"{', '.join(missing)} not installed (Debian: wixl, msitools)" if missing else None


def build(python: Path, digest: str, site: Path, listed: str, named: str, to: Path, made_at: int) -> Path:
    """Build the installer.

    Args:
        python: the embeddable package of python.org for amd64, a .zip.
        digest: its SHA-256, as python.org publishes it.
        site: the agent and its libraries for this Python, unpacked.
        listed: the list of these files.
        named: the version; Windows compares its first three numbers.
        made_at: time of every file in it, in seconds since 1970.

    Raises:
        MsiError: a tool is missing or failed, or the Python is not what it should be.
    """
    if (missing := why_not()) is not None:
        raise MsiError(missing)
    found = hashlib.sha256(python.read_bytes()).hexdigest()
    if found != digest.lower():
        raise MsiError(f"{python}: its SHA-256 is {found}, not the one that was given; find out where it came from")
    to.mkdir(parents=True, exist_ok=True)
    target = to / f"farhand-agent-{named}-amd64.msi"
    with tempfile.TemporaryDirectory(prefix="farhand-msi-") as name:
        folder = Path(name)
        tree = folder / "tree"
        _lay_out(tree, python, site, listed)
        for path in (tree, *tree.rglob("*")):
            os.utime(path, (made_at, made_at))
        (folder / "files.wxs").write_text(fragment(tree), encoding="utf-8")
        (folder / "RemoveFile.idt").write_text(
            bytecode_table(tree, python_version(python).replace(".", "")), encoding="ascii", newline="\r\n"
        )
        product = str(uuid.uuid5(SPACE, named)).upper()
        defined = {"Src": tree.name, "Version": named, "ProductCode": product}
        command = ["wixl", "-a", "x64", *(part for key, value in defined.items() for part in ("-D", f"{key}={value}"))]
        # wixl takes paths from its own folder alone.
        shutil.copy(WINDOWS / "farhand-agent.wxs", folder)
        _run([*command, "-o", "agent.msi", "farhand-agent.wxs", "files.wxs"], folder)
        _run(["msibuild", "agent.msi", "-q", SECURE], folder)
        _run(["msibuild", "agent.msi", "-i", "RemoveFile.idt"], folder)
        shutil.copy(folder / "agent.msi", target)
    return target


SECURE = (
    "UPDATE `Property` SET `Value` = 'SERVERURL;TOKEN;WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED' "
    "WHERE `Property` = 'SecureCustomProperties'"
)
"""What wixl cannot write: that both reach the part of the installation that runs as the system."""


def python_version(python: Path) -> str:
    """Version of an embeddable package, such as 3.13.

    Raises:
        MsiError: it is none.
    """
    try:
        with zipfile.ZipFile(python) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise MsiError(f"{python}: not a .zip ({error})") from error
    number = next((match[1] for name in names if (match := PYTHON.fullmatch(name))), None)
    if number is None or not set(NEEDED) <= set(names):
        raise MsiError(f"{python}: not an embeddable Python; take python-3.X.Y-embed-amd64.zip of python.org")
    return f"3.{number[1:]}"


def fragment(tree: Path) -> str:
    """The list of files for wixl, one component each, but for the service's own."""
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi"><Fragment>',
    ]
    components: list[str] = []

    def listed(folder: Path) -> None:
        if any(folder.glob("*.py")):
            lines.append(f'<Directory Id="{_id("d", _bytecode_of(folder, tree))}" Name="{BYTECODE}" />')
        for path in sorted(folder.iterdir(), key=lambda each: each.name):
            name = path.relative_to(tree).as_posix()
            if path.is_dir():
                lines.append(f"<Directory Id={quoteattr(_id('d', name))} Name={quoteattr(path.name)}>")
                listed(path)
                lines.append("</Directory>")
            elif name != SERVICE:
                component = _id("c", name)
                components.append(component)
                guid = str(uuid.uuid5(SPACE, name)).upper()
                source = quoteattr(f"$(var.Src)/{name}")
                lines.append(f'<Component Id="{component}" Guid="{guid}" Win64="yes">')
                lines.append(f'<File Id="{_id("f", name)}" KeyPath="yes" Source={source} /></Component>')

    lines.append('<DirectoryRef Id="INSTALLDIR">')
    listed(tree)
    lines.append('</DirectoryRef><ComponentGroup Id="Files">')
    lines += [f'<ComponentRef Id="{component}" />' for component in components]
    return "\n".join([*lines, "</ComponentGroup></Fragment></Wix>", ""])


def bytecode_table(tree: Path, number: str) -> str:
    """The table RemoveFile: what Python compiles beside its modules goes when they go.

    Args:
        number: of Python, such as 313.
    """
    lines = [
        "FileKey\tComponent_\tFileName\tDirProperty\tInstallMode",
        "s72\ts72\tL255\ts72\ti2",
        "RemoveFile\tFileKey",
    ]
    for folder in sorted({path.parent for path in tree.rglob("*.py")}):
        place = _id("d", _bytecode_of(folder, tree))
        for path in sorted(folder.glob("*.py")):
            name = path.relative_to(tree).as_posix()
            compiled = f"{_id('s', name)[:8]}.pyc|{path.stem}.cpython-{number}.pyc"
            lines.append(f"{_id('r', name)}\t{_id('c', name)}\t{compiled}\t{place}\t2")
        lines.append(f"{_id('e', name)}\t{_id('c', name)}\t\t{place}\t2")
    return "\n".join([*lines, ""])


def _bytecode_of(folder: Path, tree: Path) -> str:
    return f"{folder.relative_to(tree).as_posix()}/{BYTECODE}"


def _id(kind: str, name: str) -> str:
    return f"{kind}{hashlib.sha256(name.encode()).hexdigest()[:40]}"


def _lay_out(tree: Path, python: Path, site: Path, listed: str) -> None:
    """Python, where it looks for modules, the commands, and the agent with its libraries and their list."""
    number = python_version(python).replace(".", "")
    with zipfile.ZipFile(python) as archive:
        for name in archive.namelist():
            if not name.endswith("/") and not LEFT_OUT.match(name):
                _write(tree / name, archive.read(name))
    _write(tree / f"python{number}._pth", f"python{number}.zip\n.\nsite\n".encode())
    shutil.copy(WINDOWS / "farhand-agent.cmd", tree / "farhand-agent.cmd")
    shutil.copytree(site, tree / "site")
    _write(tree / MANIFEST, listed.encode())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MsiError(f"{command[0]}: {(done.stderr or done.stdout).strip()[-2000:]}")
