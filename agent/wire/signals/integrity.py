"""integrity: whether the agent on this laptop is the one that was installed, and whether it was left to run."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from .base import Count, Instant, NonNegative, Sha256, Signal


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which the laptop ran, awake, and the agent's resident process did not."""

    at: Instant
    """When it went on, by this laptop's clock."""
    seconds: NonNegative
    """For how long it stood still."""


class AgentIntegrity(Signal, frozen=True, kw_only=True):
    """The agent about itself. No file of anybody else is looked at."""

    kind: ClassVar[str] = "agent_integrity"
    stable: ClassVar[bool] = True
    purpose: ClassVar[str] = (
        "Whether the agent's own files are those of its package, whether something else was loaded into it or watches "
        "it, and which of its rights are missing."
    )

    package: Literal["intact", "changed", "unpackaged", "unreadable"]
    """Its files against the list that came with the package; unpackaged: there is no such list, as in a checkout;
    unreadable: the list or some file could not be read."""
    package_version: str = ""
    """Version that the list is for."""
    manifest_sha256: Sha256 | None = None
    """SHA-256 of the list."""
    changed_files: Count = 0
    """How many files differ from it or are missing, at two looks in a row."""
    added_files: Count = 0
    """How many files of program code lie among them that it does not name, at two looks in a row."""
    configuration_sha256: Sha256 | None = None
    """SHA-256 of agent.yaml; empty where there is none."""
    interpreter: str = ""
    """Path of the interpreter that runs the agent."""
    interpreter_version: str = ""
    """Its version, such as 3.13.5."""
    debugger: bool | None = None
    """Another process traces the agent; empty where the system does not say."""
    preloaded: bool | None = None
    """The system was told to load a library of somebody else's into the agent before its own; empty where it does not
    say."""
    missing_rights: Annotated[tuple[str, ...], msgspec.Meta(max_length=8)] = ()
    """Rights that the agent lacks, with what stays unseen without each."""
    unit_changes: Annotated[tuple[str, ...], msgspec.Meta(max_length=16)] = ()
    """Names of files in the system's configuration that change how the agent is started."""
    stops: Annotated[tuple[Stop, ...], msgspec.Meta(max_length=8)] = ()
    """Times in which it stood still for more than a minute while the laptop was awake; of the last 30 days, the last
    8."""
