"""cleaning: from what LOLRMM says of a tool to what a catalogue entry may hold. Pure.

LOLRMM lists names for hunting, which a person looks at; here a name alone makes a finding. So installers, names that
honest programs carry, folders of half a system and hosts of half the internet are left out, and each of them is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from agent.wire.settings import System

from .lolrmm import Exported

MOST_NAMES: Final = 16
MOST_PATHS: Final = 6
MOST_HOSTS: Final = 8
MOST_SIGNERS: Final = 4
LITERAL: Final = 4
"""Characters before the first * of a pattern, at least."""

_INSTALLER: Final = re.compile(r"set-?up|install|download|updat|\.(msi|zip|pkg|dmg|deb|rpm|apk)$", re.IGNORECASE)
_ODD: Final = re.compile(r"[<>\[\]{}|?%\"]")
_PLACES: Final = (
    (re.compile(r"^%programdata%", re.IGNORECASE), "C:/ProgramData"),
    (re.compile(r"^%localappdata%", re.IGNORECASE), "~/AppData/Local"),
    (re.compile(r"^%appdata%", re.IGNORECASE), "~/AppData/Roaming"),
    (re.compile(r"^%userprofile%", re.IGNORECASE), "~"),
    (re.compile(r"^%programfiles\(x86\)%", re.IGNORECASE), "C:/Program Files (x86)"),
    (re.compile(r"^%programfiles%", re.IGNORECASE), "C:/Program Files"),
    (re.compile(r"^%(systemroot|windir)%", re.IGNORECASE), "C:/Windows"),
    (re.compile(r"^C:/Users/[^/]+(?=/)", re.IGNORECASE), "~"),
    (re.compile(r"^C:/Program Files\*", re.IGNORECASE), "C:/Program Files*"),
)
_ROOTS: Final = re.compile(
    r"^(C:/Program Files[^/]*|C:/ProgramData|C:/Windows|C:|~/AppData/(Local|Roaming)|~|/Applications|/Library|~/Library"
    r"|/opt|/etc|/usr/(local/)?(bin|sbin|lib|share)|/usr/local|/var/lib|/Library/Launch(Daemons|Agents)"
    r"|/(usr/)?lib/systemd/system|/etc/systemd/system|/Library/Application Support)/(?P<rest>.+)$",
    re.IGNORECASE,
)
_PASSING: Final = re.compile(
    r"/(temp|tmp|downloads|desktop|documents|system32|package cache|logs?)(/|$)|\.(log|txt|lnk)$", re.IGNORECASE
)
# fmt: off
_SHARED_FOLDERS: Final = frozenset({
    "google", "microsoft", "common files", "internet explorer", "yandex", "programs", "system", "syswow64", ".config",
})
# fmt: on
_FILE: Final = re.compile(r"\.[a-z][a-z0-9-]{1,9}$", re.IGNORECASE)
_UNIT: Final = re.compile(r"/systemd/system/([^/*]+\.service)$")
_BARE_ADDRESS: Final = re.compile(r"^[\d.*:]+$")
# fmt: off
_TOO_BROAD: Final = (
    "alibaba.com", "amazonaws.com", "apple.com", "azureedge.net", "azurewebsites.net", "broadcom.com", "cisco.com",
    "cloudflare.com", "cloudfront.net", "cnet.com", "connectwise.com", "debian.org", "dell.com",
    "digitaloceanspaces.com", "dropbox.com", "github.com", "githubusercontent.com", "google.com", "googleapis.com",
    "gstatic.com", "informer.com", "ivanti.com", "kaseya.com", "live.com", "microsoft.com", "naver.com", "npmjs.org",
    "office.com", "pypi.org", "qq.com", "quest.com", "solarwinds.com", "sourceforge.net", "symantec.com",
    "taobao.com", "ubuntu.com", "visualstudio.com", "webex.com", "windows.net", "yandex.net", "yandex.ru", "zoho.com",
    "zoho.eu", "zoho.in", "zoom.us",
)
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What is left of a tool's artefacts, and why the rest is not."""

    processes: tuple[str, ...] = ()
    common: tuple[str, ...] = ()
    """Names that honest programs carry as well: good beside a path or a service alone."""
    services: Mapping[System, tuple[str, ...]] = field(default_factory=dict)
    paths: Mapping[System, tuple[str, ...]] = field(default_factory=dict)
    domains: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Sentences."""


def clean(one: Exported, too_common: Iterable[str]) -> Cleaned:
    """Leave out what says too little."""
    why: dict[str, list[str]] = {}
    processes, common = _programs(one.processes, tuple(too_common), why)
    paths: dict[System, tuple[str, ...]] = {}
    services: dict[System, tuple[str, ...]] = {"windows": _services(one.services, why)}
    for system in ("windows", "macos", "linux"):
        written = one.paths.get(system, ())
        paths[system] = _folders(written, why)
        if system == "linux":
            services["linux"] = _unique(unit[1] for each in written if (unit := _UNIT.search(each)))
    return Cleaned(
        processes=processes,
        common=common,
        services={system: each for system, each in services.items() if each},
        paths={system: each for system, each in paths.items() if each},
        domains=_hosts(one.domains, why),
        signers=_unique(one.signers)[:MOST_SIGNERS],
        left_out=tuple(f"{reason}: {', '.join(_unique(names))}" for reason, names in why.items()),
    )


def _programs(
    names: Iterable[str], too_common: tuple[str, ...], why: dict[str, list[str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    good, common = [], []
    for name in _unique(names):
        if not name.lower().endswith((".exe", ".com")) or _ODD.search(name) or "/" in name:
            why.setdefault("no name of a program", []).append(name)
        elif "*" in name and len(name.partition("*")[0]) < LITERAL:
            why.setdefault("fits too many names", []).append(name)
        elif any(fnmatchcase(each.lower(), name.lower()) for each in too_common):
            common.append(name)
        elif _INSTALLER.search(name):
            why.setdefault("installs, but does not stay", []).append(name)
        else:
            good.append(name)
    starts = [each.lower() for each in good if "*" in each]
    kept = [n for n in good if not any(n.lower() != each and fnmatchcase(n.lower(), each) for each in starts)]
    return tuple(kept[:MOST_NAMES]), tuple(common)


def _services(names: Iterable[str], why: dict[str, list[str]]) -> tuple[str, ...]:
    good = []
    for name in _unique(names):
        if _ODD.search(name) or len(name.partition("*")[0]) < LITERAL or name.lower().startswith("windows "):
            why.setdefault("no name of a service of its own", []).append(name)
        else:
            good.append(name)
    return tuple(good[:MOST_NAMES])


def _folders(paths: Iterable[str], why: dict[str, list[str]]) -> tuple[str, ...]:
    good: list[str] = []
    for written in paths:
        path = re.sub(r"/{2,}", "/", written.strip().replace("\\", "/"))
        for place, instead in _PLACES:
            path = place.sub(instead, path, count=1)
        path = re.sub(r"(/\**)+$", "", path)
        path = path[:1].upper() + path[1:] if path[1:2] == ":" else path
        inside = _ROOTS.match(path)
        if inside is None or _ODD.search(path) or _PASSING.search(path):
            why.setdefault("says nothing of an installation", []).append(written)
        elif inside["rest"].split("/")[0].lower() in _SHARED_FOLDERS and "/" not in inside["rest"]:
            why.setdefault("a folder that others share", []).append(written)
        elif inside["rest"].startswith("*"):
            why.setdefault("fits too many folders", []).append(written)
        elif not _UNIT.search(path):
            good.append(_folder(path, inside["rest"]))
    roots = sorted(_unique(good), key=len)
    kept = [p for at, p in enumerate(roots) if not any(_below(p.lower(), each.lower()) for each in roots[:at])]
    return tuple(kept[:MOST_PATHS])


def _folder(path: str, rest: str) -> str:
    """A program's own folder on Windows: what lies deeper changes from version to version."""
    if path[1:2] != ":" and not path.startswith("~/AppData"):
        return path
    parts = rest.split("/")
    kept = parts[:2]
    if len(kept) > 1 and (_FILE.search(kept[1]) or kept[1].startswith("*")):
        kept = kept[:1]
    return path.removesuffix(rest) + "/".join(kept)


def _below(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def _hosts(domains: Iterable[str], why: dict[str, list[str]]) -> tuple[str, ...]:
    good = []
    for written in domains:
        host = written.strip().lower().removeprefix("https://").removeprefix("http://").rstrip("/.")
        if not re.fullmatch(r"[a-z0-9*.-]+\.[a-z]{2,}", host) or _BARE_ADDRESS.match(host):
            why.setdefault("no host of its own", []).append(written)
        elif any(host.removeprefix("*").removeprefix(".") == each for each in _TOO_BROAD):
            why.setdefault("a host that others share", []).append(written)
        else:
            good.append(host)
    return _unique(good)[:MOST_HOSTS]


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    """Without repetitions that differ in their case alone; the spelling with more capitals stays."""
    found: dict[str, str] = {}
    for text in texts:
        known = found.get(text.lower())
        if known is None or _capitals(text) > _capitals(known):
            found[text.lower()] = text
    return tuple(found.values())


def _capitals(text: str) -> int:
    return sum(letter.isupper() for letter in text)


def slug(name: str) -> str:
    """An id out of a name."""
    return "-".join(_words(re.sub(r"\(.*?\)", "", name).lower().replace("'", ""))) or "-".join(_words(name.lower()))


def _words(text: str) -> Iterator[str]:
    yield from re.findall(r"[a-z0-9]+", text)
