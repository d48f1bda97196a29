"""config: what the administrator of a laptop sets, read strictly from agent.yaml.

Everything has a default, so a laptop that was enrolled by command needs no file. How often to measure comes from the
collector's signed settings, not from here.
"""

from __future__ import annotations

import re
import typing
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import yaml

from agent.host.this_machine import ABSOLUTE, AS_AGENT, CONFIG_FILE, RUN_DIR, STATE_DIR, TOKEN_FILE
from agent.wire.signals import KINDS

DEFAULT_PATH: Final = Path(CONFIG_FILE)

_PLACE = re.compile(r"\A(?P<what>.*?)(?: - at `\$(?P<place>[^`]*)`)?\Z", re.DOTALL)
_UNKNOWN = re.compile(r"\AObject contains unknown field `(?P<key>.*)`\Z")


def _advice(words: str) -> msgspec.Meta:
    return msgspec.Meta(description=words)


FilePath = Annotated[str, _advice("the absolute path of a file"), msgspec.Meta(pattern=ABSOLUTE)]
FolderPath = Annotated[str, _advice("the absolute path of a folder"), msgspec.Meta(pattern=ABSOLUTE)]


class ConfigError(Exception):
    """The configuration cannot be used. The message says where, what and what to do."""


class CollectorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the collector is reached."""

    url: Annotated[str | None, _advice("https://host, with a port where it is not 443")] = None
    """None: the one that was given at enrolment."""
    ca_file: FilePath | None = None
    """Certificates (PEM) to trust in place of the public ones; None: those given at enrolment, or the public ones."""
    extra_ca_file: FilePath | None = None
    """A second such file, trusted beside the first while certificates change over."""
    proxy: Annotated[str | None, _advice("http://host:port of the proxy")] = None
    """None: the environment says (HTTPS_PROXY, NO_PROXY)."""


class SpoolConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much may wait for a collector that cannot be reached."""

    max_mb: Annotated[int, _advice("a number of megabytes, 1 to 1000"), msgspec.Meta(ge=1, le=1000)] = 50
    max_reports: Annotated[int, _advice("a number of reports, 10 to 100000"), msgspec.Meta(ge=10, le=100_000)] = 20_000


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of agent.yaml."""

    collector: CollectorConfig = CollectorConfig()
    token_file: FilePath | None = TOKEN_FILE
    """A file that holds an enrolment token; it is deleted once the token was used."""
    state_dir: FolderPath = STATE_DIR
    run_dir: FolderPath = RUN_DIR
    """A folder in memory, by which a state that was set back is noticed."""
    probes_off: Annotated[tuple[str, ...], _advice("a list of kinds such as [power]")] = ()
    """Kinds that are not measured here, whatever the collector's settings say. One that this agent does not know is no
    reason to stop: a file for a whole fleet may name the kinds of newer agents. See `unknown_kinds`."""
    spool: SpoolConfig = SpoolConfig()


def unknown_kinds(config: Config) -> list[str]:
    """A sentence for everything in `probes_off` that switches nothing off, with the kind that may have been meant."""
    return [
        f"probes_off: this agent knows no kind {kind!r}, so that switches nothing off; {_nearest(kind)}"
        for kind in config.probes_off
        if kind not in KINDS
    ]


def _nearest(kind: str) -> str:
    import difflib  # no cycle needs it

    close = difflib.get_close_matches(kind.lower(), KINDS, n=1)
    return f"did you mean {close[0]}?" if close else f"the kinds here are {', '.join(sorted(KINDS))}"


def load(path: Path | None) -> Config:
    """Read a configuration file; without a path the default one, which may be missing.

    Raises:
        ConfigError: the file is missing, is not YAML, or says something that is not understood.
    """
    try:
        text = (path or DEFAULT_PATH).read_text(encoding="utf-8")
    except FileNotFoundError:
        if path is None:
            return Config()
        raise ConfigError(f"{path}: no such file; give the path of an agent.yaml") from None
    except IsADirectoryError:
        raise ConfigError(f"{path or DEFAULT_PATH}: is a folder; give the path of an agent.yaml") from None
    except PermissionError as error:
        words = f"this user may not read it; run the command {AS_AGENT}"
        raise ConfigError(f"{path or DEFAULT_PATH}: {words}") from error
    except OSError as error:
        raise ConfigError(f"{path or DEFAULT_PATH}: {error.strerror}; make it a readable file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path or DEFAULT_PATH}: not text; save it as UTF-8") from error
    return parse(text, (path or DEFAULT_PATH).name)


def parse(text: str, name: str) -> Config:
    """Read the text of a configuration file.

    Args:
        name: what messages call the file.

    Raises:
        ConfigError: see `load`.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError(f"{name}: {line}not valid YAML; check the indentation there and the quotes") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: not valid YAML; there are too many brackets in each other") from error
    if values is None:
        values = {}
    if isinstance(values, dict) and "token" in values:
        raise ConfigError(f"{name}: token: a token in this file would stay readable; write it to a token_file")
    try:
        return msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {_explain(str(error), values)}") from error


def _explain(message: str, values: Any) -> str:
    """A validation message in words: where, what was expected and found, what to write."""
    found = _PLACE.match(message)
    assert found is not None
    keys = [key for key in re.split(r"\.|\[.*?\]", found["place"] or "") if key]
    unknown = _UNKNOWN.match(found["what"])
    if unknown:
        known = ", ".join(field.name for field in msgspec.structs.fields(_struct_at(keys)))
        return f"{'.'.join([*keys, unknown['key']])}: unknown key; known here are {known}"
    value = values
    for key in keys:
        value = value[key]
    what = found["what"][:1].lower() + found["what"][1:].replace("`", "")
    what = re.sub(r", got .*\Z", "", what) + f", got {msgspec.json.encode(value).decode()}"
    return f"{'.'.join(keys) or 'file'}: {what}; write {_advice_at(keys)}"


def _struct_at(keys: list[str]) -> type[msgspec.Struct]:
    struct: type[msgspec.Struct] = Config
    for key in keys:
        struct = typing.get_type_hints(struct)[key]
    return struct


def _advice_at(keys: list[str]) -> str:
    """The description in the type of the key at a place."""
    if not keys:
        return "key: value lines"
    hint = typing.get_type_hints(_struct_at(keys[:-1]), include_extras=True)[keys[-1]]
    for part in (hint, *typing.get_args(hint)):
        for meta in getattr(part, "__metadata__", ()):
            if meta.description:
                return str(meta.description)
    return "key: value lines below it"
