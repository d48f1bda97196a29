"""config: the collector's settings and the policy, read strictly from YAML files.

The one place that reads configuration files; `rulebook` reads the rules.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from collector import landmarks
from collector.judgement.policy import Known, LandmarkPolicy, Policy, unknown_names
from collector.strict import Document, Mistake, MistakesError, nearest

DEFAULT = Path("/etc/farhand/collector.yaml")
T = TypeVar("T")
Port = Annotated[int, msgspec.Meta(ge=1, le=65535, description="a port, 1 to 65535")]
Url = Annotated[str, msgspec.Meta(pattern=r"\Ahttps?://[^/\s]+\Z", description="https:// and a host name")]
PathText = Annotated[str, msgspec.Meta(min_length=1, description="a path")]


class Listen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the collector accepts connections."""

    host: Annotated[str, msgspec.Meta(min_length=1, description="an address, such as 127.0.0.1")] = "127.0.0.1"
    port: Port = 8470


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The collector's own certificate, where no proxy terminates TLS."""

    certificate: PathText
    """PEM file with the certificate and its chain."""
    key: PathText
    """PEM file with the private key."""


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long data is kept; evidence of an open alert is held."""

    days: Annotated[int, msgspec.Meta(ge=1, le=3650, description="a number of days, 1 to 3650")] = 90


class Sessions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long somebody stays signed in to the console."""

    idle_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440, description="minutes, 1 to 1440")] = 60
    """A session ends after this time without a request."""
    lifetime_hours: Annotated[int, msgspec.Meta(ge=1, le=720, description="hours, 1 to 720")] = 12
    """A session ends after this time in any case."""


class Geo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Place data besides what comes with the collector."""

    directory: PathText | None = None
    """Folder of mmdb files and overrides.yaml; None: geo in data_dir."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one device may send."""

    encoded_bytes: Annotated[int, msgspec.Meta(ge=1024, le=2**27, description="bytes, 1024 to 134217728")] = 262144
    """As it arrives, compressed."""
    decoded_bytes: Annotated[int, msgspec.Meta(ge=1024, le=2**27, description="bytes, 1024 to 134217728")] = 2097152
    """After decompression."""
    reports_per_minute: Annotated[int, msgspec.Meta(ge=1, le=6000, description="a number, 1 to 6000")] = 60
    """In the long run; a device that sends more is asked to wait, and harms no other."""
    reports_at_once: Annotated[int, msgspec.Meta(ge=1, le=100000, description="a number, 1 to 100000")] = 1000
    """After a time without a connection."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The collector's settings. Paths are relative to the folder that the collector was started in."""

    listen: Listen = Listen()
    public_urls: Annotated[
        tuple[Url, ...],
        msgspec.Meta(min_length=1, description="a list of addresses, such as [https://farhand.example.org]"),
    ] = ("http://127.0.0.1:8470",)
    """Under which addresses agents reach the collector; signatures are verified against them."""
    data_dir: PathText = "var"
    """Folder for the database and the collector's keys."""
    database: Annotated[str, msgspec.Meta(description="a path of an SQLite file, or postgresql://…")] | None = None
    """None: collector.sqlite in data_dir."""
    tls: Annotated[Tls, msgspec.Meta(description="certificate and key")] | None = None
    trusted_proxies: Annotated[
        tuple[Annotated[str, msgspec.Meta(description="an address or network, such as 10.0.0.0/8")], ...],
        msgspec.Meta(description="a list of addresses or networks"),
    ] = ()
    """Proxies whose forwarded client address is believed."""
    allow_plain_http: Annotated[bool, msgspec.Meta(description="true or false")] = False
    """True: serve plain HTTP on any address. Loopback is always served."""
    policy: PathText = "configs/policy.yaml"
    catalogue: PathText | None = None
    """The organisation's own remote-access tools, over the shipped ones; None: there is no such file."""
    sessions: Sessions = Sessions()
    retention: Retention = Retention()
    geo: Geo = Geo()
    limits: Limits = Limits()
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], msgspec.Meta(description="debug, info, warning or error")
    ] = "info"


def geo_folder(config: Config) -> Path:
    """Folder of place data."""
    return Path(config.geo.directory) if config.geo.directory else Path(config.data_dir) / "geo"


def load(path: Path) -> Config:
    """Read the collector's settings.

    Raises:
        MistakesError: the file cannot be read or is wrong; every mistake is listed.
    """
    config, mistakes = read_config(path)
    return _or_raise(config, mistakes)


def load_or_default(path: Path | None) -> Config:
    """The settings of the given file, of the default file if there is one, else those that hold without a file.

    Raises:
        MistakesError: the file cannot be read or is wrong; every mistake is listed.
    """
    if path is None and not DEFAULT.exists():
        return Config()
    return load(path or DEFAULT)


def read_config(path: Path) -> tuple[Config | None, list[Mistake]]:
    """The settings, or what is wrong with them."""
    document = open_document(path)
    config = document.read(Config)
    for place, text in _wrong_values(config or document.read_rest(Config)):
        document.add(place, text)
    return config, document.mistakes


def _wrong_values(config: Config) -> Iterator[tuple[str, str]]:
    """Places, and what is wrong there that no type tells."""
    for index, proxy in enumerate(config.trusted_proxies):
        if not _is_network(proxy):
            words = f'expected an address or network, got "{proxy}"; write one such as 10.0.0.0/8'
            yield f"trusted_proxies[{index}]", words
    if not (config.tls or config.allow_plain_http or _is_loopback(config.listen.host)):
        yield (
            "listen.host",
            f'expected a loopback address while there is no certificate, got "{config.listen.host}", which others '
            "reach; write tls.certificate and tls.key, or 127.0.0.1 behind a proxy, or allow_plain_http: true where "
            "something else encrypts",
        )
    scheme, is_url, _ = (config.database or "").partition("://")
    if is_url and scheme != "sqlite" and not scheme.startswith("postgresql"):
        yield "database", f'expected SQLite or PostgreSQL, got "{scheme}"; write a path, or postgresql://user@host/name'
    if config.tls is not None:
        for name, file in (("certificate", config.tls.certificate), ("key", config.tls.key)):
            if not os.access(file, os.R_OK):
                yield (
                    f"tls.{name}",
                    f'expected a file that this user may read, got "{file}"; write the path of a PEM file',
                )


def read_policy(path: Path, known: Known) -> tuple[Policy | None, list[Mistake]]:
    """The policy, or what is wrong with it."""
    document = open_document(path)
    policy = document.read(Policy)
    for place, expected, name, names in unknown_names(policy or document.read_rest(Policy), known):
        document.add(place, f'expected {expected}, got "{name}"; {nearest(name, names)}')
    for index, network in enumerate((policy or document.read_rest(Policy)).company_networks):
        for at, written in enumerate(network.ranges):
            if not _is_network(written):
                words = f'expected a range of addresses, got "{written}"; write one such as 192.0.2.0/24'
                document.add(f"company_networks[{index}].ranges[{at}]", words)
    own = policy.landmarks if policy is not None else LandmarkPolicy()
    for index, field, text in landmarks.clashes(own.own, landmarks.load() if own.shipped else ()):
        document.add(f"landmarks.own[{index}].{field}", text)
    ids = {entry.id for entry in landmarks.offered(own)}
    for index, name in enumerate(own.leave_out):
        if name not in ids:
            words = f'expected the id of a landmark, got "{name}"; {nearest(name, sorted(ids))}'
            document.add(f"landmarks.leave_out[{index}]", words)
    return policy, document.mistakes


def open_document(path: Path) -> Document:
    """A file's text as a document; a file that cannot be read is a mistake like any other."""
    try:
        return Document(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        document = Document("", str(path))
        reason = getattr(error, "strerror", None) or "is not UTF-8 text; save it as UTF-8"
        document.mistakes.append(Mistake(file=str(path), line=0, place="", text=f"cannot be read: {reason}"))
        return document


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _or_raise(value: T | None, mistakes: Iterable[Mistake]) -> T:
    found = tuple(mistakes)
    if value is None or found:
        raise MistakesError(found)
    return value
