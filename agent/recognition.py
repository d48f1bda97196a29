"""recognition: programs of the catalogue that run under another name, by what their files say of themselves.

Looked into are files of running programs outside the system's own folders, on Windows and macOS; a Linux executable
says nothing of itself. What was found stays in the note of the probe, so a file is read once as long as it is the same.
Names of other programs go nowhere: kept is a digest of the path, and the catalogue's own word where one fits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from agent import pe
from agent.host import Host, HostError, Process
from agent.host.plists import read_plist, table
from agent.matching import Names, artefacts, path_digest
from agent.wire.settings import Catalogue

NEW_FILES: Final = 24
"""Files that one run reads at most; the rest wait for the next one. One takes 0.03 ms of processor time."""
MOST_KEPT: Final = 500
MOST_RENAMED: Final = 100
"""Both together are less than a note holds, whatever runs."""
SYSTEM_FOLDERS: Final = {
    "windows": ("c:/windows/",),
    "macos": ("/system/", "/usr/bin/", "/usr/sbin/", "/usr/libexec/", "/bin/", "/sbin/", "/library/apple/"),
}
NETWORK: Final = "//"
"""How paths of shared folders begin (UNC)."""
BUNDLE: Final = ".app/Contents/"
PLIST_BYTES: Final = 64 * 1024


def recognise(
    catalogue: Catalogue, host: Host, known: Mapping[str, str], renamed: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Which running programs are tools of the catalogue under another name.

    Args:
        known: the catalogue's word by digest of a file that was read before; empty where none fits.
        renamed: what the run before gave back.

    Returns:
        The same two, as of now: words by digest of a file, and of programs under another name by digest of the path.
    """
    if host.system not in SYSTEM_FOLDERS:
        return {}, {}
    words = _Words(catalogue, host)
    seen: dict[str, str] = {}
    found: dict[str, str] = {}
    left = NEW_FILES
    for path in _paths(host.processes(), SYSTEM_FOLDERS[host.system]):
        stamp = host.stamp(path)
        if stamp is None:
            continue
        where = path_digest(path)
        digest = hashlib.sha256(f"{where}\0{stamp.changed_at.timestamp()}\0{stamp.size}".encode()).hexdigest()[:16]
        word = known.get(digest)
        if word is None:
            if left == 0:
                if where in renamed:
                    found[where] = renamed[where]
                continue
            left -= 1
            word = words.of(path)
        seen[digest] = word
        if word:
            found[where] = word
    return dict(list(seen.items())[:MOST_KEPT]), dict(list(found.items())[:MOST_RENAMED])


def _paths(processes: Iterable[Process], system_folders: tuple[str, ...]) -> Iterable[str]:
    """Nothing that lies on another machine: whoever starts a program from there chooses to whom Windows would show this
    machine's own account, and how long its answer takes."""
    paths = (process.path.replace("\\", "/") for process in processes if process.path is not None)
    return dict.fromkeys(path for path in paths if not path.lower().startswith((*system_folders, NETWORK)))


class _Words:
    """The catalogue's words for what a program may say of itself."""

    def __init__(self, catalogue: Catalogue, host: Host) -> None:
        self._host = host
        mine = [(tool, artefacts(tool, host.system)) for tool in catalogue.tools]
        identities = [word for _, known in mine for word in known.identities]
        names = [word for tool, known in mine if not tool.needs_second_artefact for word in known.processes]
        self._words = Names([*identities, *(names if host.system == "windows" else ())], fold_case=True)
        self._names = Names((word for _, known in mine for word in known.processes), fold_case=True)
        self._owner = {word: tool.id for tool, known in mine for word in (*known.identities, *known.processes)}

    def of(self, path: str) -> str:
        """The catalogue's word for the program in this file; empty where it has none, or the name says it already."""
        try:
            told = self._bundle(path) if self._host.system == "macos" else pe.names(self._reader(path))
        except (HostError, OSError):
            return ""
        base = path.rpartition("/")[2]
        words = {word for each in told for word in self._words.matching(each)}
        own = {self._owner[word] for word in self._names.matching(base)}
        return "" if any(self._owner[word] in own for word in words) else min(words, default="")

    def _reader(self, path: str) -> pe.Read:
        return lambda at, most: self._host.read_part(path, at, most) or b""

    def _bundle(self, path: str) -> tuple[str, ...]:
        """What the bundle is called by its maker; nothing for the helpers in it, which have names of their own."""
        folder, is_bundle, inside = path.rpartition(BUNDLE)
        is_main = bool(is_bundle) and inside.startswith("MacOS/") and inside.count("/") == 1
        data = self._host.read_bytes(f"{folder}{BUNDLE}Info.plist", PLIST_BYTES) if is_main else None
        name = table(read_plist(data or b"")).get("CFBundleIdentifier")
        return (name,) if isinstance(name, str) else ()
