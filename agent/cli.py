"""cli: the agent's commands. Every error is one line that says where, what and what to do.

Exit status: 0 done, 1 a problem was found, 2 the command or the configuration cannot be used. Modules are imported by
the command that needs them: a cycle pays for every import each time.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import agent
from agent.arguments import parser
from agent.host.this_machine import CONFIG_FILE, installed_url

if TYPE_CHECKING:
    from agent.config import Config
    from agent.cycle import Tools
    from agent.disk import Folder
    from agent.host import Host, System

OK, PROBLEM, USAGE = 0, 1, 2
WORK_WAIT_S: Final = 30.0
UNSEEN: Final[Mapping[System, str]] = {
    "linux": "without root the serial number and other users' programs stay unseen; sudo shows more",
    "macos": "without root other users' programs stay unseen; sudo shows more",
    "windows": "without administrator rights other users' programs stay unseen; run it as an administrator",
}
"""What a person is told who lacks rights that the agent itself has."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    commands = {
        "enrol": _enrol,
        "run": _run,
        "once": _once,
        "doctor": _doctor,
        "show": _show,
        "status": _status,
        "prepare": _prepare,
        "cycle": _cycle,
    }
    options = parser(commands).parse_args(arguments)
    # Deferred so that --help and --version answer at once.
    from agent.config import ConfigError
    from agent.disk import DiskError
    from agent.host import HostError
    from agent.uplink import UplinkError

    logging.basicConfig(level=logging.INFO, format="farhand-agent: %(message)s", stream=sys.stderr)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except ConfigError as error:
        return _complain(error, USAGE)
    except DiskError as error:
        return _complain(error, USAGE)
    except BrokenPipeError:
        # Whoever read the output has seen enough; without this the interpreter complains when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (UplinkError, HostError, OSError) as error:
        return _complain(error, PROBLEM)
    except KeyboardInterrupt:
        return PROBLEM


def _complain(error: Exception, status: int) -> int:
    print(f"farhand-agent: {error}", file=sys.stderr)
    return status


def _config(options: argparse.Namespace) -> Config:
    import msgspec

    from agent import config
    from agent.disk import trust_place_of

    path = getattr(options, "config", None)
    if path is None:
        trust_place_of(CONFIG_FILE)
    loaded = config.load(path)
    if hasattr(options, "state_dir"):
        loaded = msgspec.structs.replace(loaded, state_dir=str(options.state_dir.absolute()))
    if loaded.collector.url is None and (url := installed_url()) is not None:
        loaded = msgspec.structs.replace(loaded, collector=msgspec.structs.replace(loaded.collector, url=url))
    return loaded


def _folder(config: Config) -> Folder:
    from agent.disk import Folder

    return Folder.open(Path(config.state_dir))


def _tools(config: Config, folder: Folder, heard: Sequence[str] = (), **more: Any) -> Tools:
    """The real things that a cycle works with; with what the parent heard of hardware and of its own standstills, as it
    packed them, and what else a worker was given."""
    from agent.cycle import Tools
    from agent.disk import DiskError, marks_at
    from agent.host.this_machine import this_machine
    from agent.probes import PROBES
    from agent.uplink import connect

    host = this_machine(*heard)
    try:
        marks = marks_at(config.run_dir)
    except DiskError:
        marks = None
    return Tools(
        config=config,
        host=host,
        probes=PROBES,
        disk=folder,
        marks=marks,
        connect=lambda me, enrolment: connect(
            folder, enrolment.link(config.collector) if enrolment else config.collector, me, host
        ),
        **more,
    )


def _run(options: argparse.Namespace) -> int:
    """Check what can be checked, then become the small parent."""
    config, folder = _checked(options)
    given = ["--state-dir", config.state_dir]
    if hasattr(options, "config"):
        given += ["--config", str(options.config)]
    if sys.platform == "win32":  # where no process can become another
        from agent.windows_parent import run_in_console

        return run_in_console(given)
    else:  # noqa: RET505 - so that each system's type checker sees its own half
        return _become_parent(folder, given)


def _become_parent(folder: Folder, given: list[str]) -> NoReturn:
    from agent.disk import AGENT_LOCK
    from agent.parent import interpreter

    lock = folder.lock(AGENT_LOCK)
    os.set_inheritable(lock, True)
    # Only a checkout that was started as `python -m agent` is found by way of the current folder.
    from_here = Path(sys.path[0]).resolve() == Path(agent.__file__).resolve().parents[1]
    command = [*interpreter(safe_path=not from_here), "-m", "agent.parent", str(lock), *given]
    os.execv(sys.executable, command)


def _prepare(options: argparse.Namespace) -> int:
    """Check what can be checked, take over what the installer left, and say which folder it is."""
    from agent.host.this_machine import take_token

    config, folder = _checked(options)
    token = take_token()
    if token is not None and config.token_file is not None:
        folder.save(Path(config.token_file).name, token.encode())
    print(folder.path)
    return OK


def _checked(options: argparse.Namespace) -> tuple[Config, Folder]:
    """The configuration, with a warning of what does nothing in it, and the agent's folder."""
    from agent.config import unknown_kinds

    config = _config(options)
    for words in unknown_kinds(config):
        logging.warning("agent.yaml: %s", words)
    return config, _folder(config)


def _cycle(options: argparse.Namespace) -> int:
    """One cycle, bounded in every way, as the parent's worker or by hand."""
    # A worker ends before it has made garbage worth a search; searching takes a tenth of the time of its imports.
    gc.disable()
    import signal

    from agent.briefing import read_windows
    from agent.cycle import run_cycle
    from agent.disk import WORK_LOCK
    from agent.limits import end_after, step_back
    from agent.parent import CYCLE_S

    if options.reply_fd is not None:
        os.set_inheritable(options.reply_fd, False)
        # Service managers tell every process to stop at once; the parent gives this one the time to end its cycle.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    step_back()
    # The parent kills a worker that hangs; this one is for a worker that lost its parent.
    end_after(CYCLE_S)
    config = _config(options)
    folder = _folder(config)
    folder.lock(WORK_LOCK, WORK_WAIT_S)
    said: list[str] = []
    heard = (options.hardware_events, options.standstills)
    tools = _tools(config, folder, heard, timed=read_windows(options.windows_fd), brief=said.append)
    delay_s = run_cycle(tools, options.occasion)
    if options.reply_fd is not None:
        os.write(options.reply_fd, "\n".join((f"{delay_s:.3f}", *said)).encode())
    return OK


def _enrol(options: argparse.Namespace) -> int:
    from agent import enrol, identity
    from agent.config import CollectorConfig
    from agent.cycle import own_identity
    from agent.disk import WORK_LOCK
    from agent.uplink import Address, connect

    config = _config(options)
    enrol.check_link(Address.parse(options.url), options.ca)
    folder = _folder(config)
    folder.lock(WORK_LOCK, WORK_WAIT_S)
    ca_file = str(options.ca.absolute()) if options.ca is not None else config.collector.ca_file
    link = CollectorConfig(
        url=options.url, ca_file=ca_file, extra_ca_file=config.collector.extra_ca_file, proxy=config.collector.proxy
    )
    token = options.token if options.token is not None else enrol.token_from(options.token_file)
    tools = _tools(config, folder)
    host = tools.host
    me = own_identity(tools) or identity.draw(folder, host.machine_binding())
    uplink = connect(folder, link, me, host)
    enrolment = enrol.enrol(folder, host, uplink, me, link, token)
    print(f"enrolled: this laptop is device {enrolment.device_id}")
    if options.token_file not in (None, enrol.STDIN):
        Path(options.token_file).unlink(missing_ok=True)
    return OK


def _existing_folder(config: Config) -> tuple[Folder | None, str]:
    """The agent's folder for commands that only look; None, and why, where it cannot be opened.

    The reason is empty where there is no folder yet.
    """
    from agent.disk import DiskError, Folder

    if not os.path.lexists(config.state_dir):
        return None, ""
    try:
        return Folder.open(Path(config.state_dir), make=False), ""
    except DiskError as error:
        return None, str(error)


def _note_what_stays_unseen(host: Host, why_no_folder: str = "") -> None:
    """Say to a person without rights that the agent itself may see more."""
    if why_no_folder:
        logging.warning("%s", why_no_folder)
    if host.missing_rights():
        logging.warning("%s", UNSEEN[host.system])


def _once(options: argparse.Namespace) -> int:
    from agent.host.this_machine import this_machine
    from agent.once import once
    from agent.probes import PROBES

    config, host = _config(options), this_machine()
    folder, why = _existing_folder(config)
    _note_what_stays_unseen(host, why)
    once(host, PROBES, folder, print, off=config.probes_off, as_json=options.json)
    return OK


def _doctor(options: argparse.Namespace) -> int:
    from agent.doctor import examine
    from agent.host.this_machine import this_machine
    from agent.probes import PROBES

    config, host = _config(options), this_machine()
    folder, why = _existing_folder(config)
    tools = _tools(config, folder) if folder is not None else None
    _note_what_stays_unseen(host)
    return OK if examine(config, host, PROBES, tools, why, print) else PROBLEM


def _show(options: argparse.Namespace) -> int:
    from agent.show import show

    config = _config(options)
    folder, why = _existing_folder(config)
    show(config, folder, why, print)
    return OK


def _status(options: argparse.Namespace) -> int:
    import msgspec

    from agent import status
    from agent.disk import DiskError
    from agent.host.this_machine import this_machine

    config = _config(options)
    folder, why = _existing_folder(config)
    if why:
        raise DiskError(why)
    standing = status.read(config, folder, this_machine())
    if options.json:
        print(msgspec.json.encode(standing).decode())
    else:
        status.tell(standing, print)
    return OK if standing.enrolled else PROBLEM
