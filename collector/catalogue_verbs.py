"""catalogue_verbs: the verb `catalogue` of farhand-collector: what laptops look for, and what LOLRMM adds to it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import config as configs
from . import knowledge
from .access import database
from .app import utc_now
from .catalogue import SHIPPED, accounts, importing, lolrmm, own, too_common
from .catalogue import load as load_shipped
from .instants import from_ms, to_ms
from .publishing import HOUR_MS
from .store import catalogues

MOST_BYTES = 64 * 1024 * 1024


def add(verb: argparse.ArgumentParser) -> None:
    """Add what can be done with the catalogue."""
    actions = verb.add_subparsers(dest="action", metavar="ACTION")
    telling = actions.add_parser("status", help="where the tools come from, and which ring has which version")
    telling.set_defaults(run=status)
    taking = actions.add_parser(
        "import", help="add the tools of an export of LOLRMM (JSON or CSV) to the own catalogue"
    )
    taking.add_argument("file", type=Path)
    taking.add_argument("--into", type=Path, metavar="FILE", help="the own catalogue (default: the configured one)")
    taking.set_defaults(run=_import)


def status(options: argparse.Namespace) -> int:
    """Print the files, the versions that were published, and what each group has."""
    config = configs.load_or_default(options.config)
    known = knowledge.of(config)
    shipped = load_shipped()
    aids = sum(entry.accessibility for entry in shipped)
    told = f"shipped: {len(shipped)} in {len(SHIPPED)} files, {aids} of them accessibility tools, which never count"
    print(f"{len(known.tools)} tools for laptops; {told}")
    if config.catalogue:
        file = own.read(Path(config.catalogue))
        counts = f"{len(file.tools)} of its own, {len(file.disabled)} switched off, {len(file.imported)} imported"
        print(f"{config.catalogue}: {counts}")
    with database(options) as connection:
        versions = catalogues.kept(connection)
    for one in versions:
        print(f"version {one.version}  first published {_minute(one.first_ms)}  {len(one.tools)} tools")
    if not versions:
        print("nothing published yet: that happens when the collector starts", file=sys.stderr)
        return 0
    if versions[0].tools != known.tools:
        print("the files have changed since: the next start of the collector publishes them", file=sys.stderr)
    now_ms = to_ms(utc_now())
    for name, delay_h in sorted(known.policy.catalogue_delays_h.items()):
        steps = catalogues.schedule(versions, round(delay_h * HOUR_MS))
        has = [one for from_ms, one in steps if from_ms <= now_ms][-1]
        coming = [f"; version {one.version} from {_minute(from_ms)}" for from_ms, one in steps if from_ms > now_ms]
        ring = known.policy.groups[name].ring
        print(f"group {name}  ring {ring} (+{delay_h:g} h)  version {has.version}{''.join(coming)}")
    return 0


def _minute(at_ms: int) -> str:
    return f"{from_ms(at_ms):%Y-%m-%d %H:%M} UTC"


def _import(options: argparse.Namespace) -> int:
    config = configs.load_or_default(options.config)
    path = options.into or (Path(config.catalogue) if config.catalogue else None)
    if path is None:
        print("no own catalogue: name one as `catalogue` in the configuration, or with --into FILE", file=sys.stderr)
        return 2
    try:
        if options.file.stat().st_size > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES} bytes")
        exported = lolrmm.read(options.file.read_text(encoding="utf-8"))
    except OSError as error:
        print(f"{options.file}: {error.strerror}", file=sys.stderr)
        return 2
    except (ValueError, RecursionError) as error:
        print(f"{options.file}: {error}; write the JSON or the CSV that lolrmm.io offers", file=sys.stderr)
        return 2
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    file = own.read(path) if text else own.OwnFile()
    gone = {entry.id for entry in file.tools}
    done = importing.take(
        exported,
        known=(*(entry for entry in load_shipped() if entry.id not in gone), *file.tools),
        before=file.imported,
        accounts=accounts.load(),
        common=too_common(),
    )
    for line in done.told:
        print(line)
    written = own.with_imported(text, done.entries)
    own.parse(written, path)  # before it takes the place of what was right
    if written != text:
        path.write_text(written, encoding="utf-8")
    many = "1 imported tool" if len(done.entries) == 1 else f"{len(done.entries)} imported tools"
    print(f"{path}: {many}{'' if written != text else ', unchanged'}", file=sys.stderr)
    if not config.catalogue:
        print(f"Name it in the configuration: catalogue: {path}", file=sys.stderr)
    return 0
