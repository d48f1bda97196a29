"""accuracy: how often Farhand is right, on real data. `make eval`; method and figures: docs/accuracy.md.

Two tables: round trips to landmarks (is the machine where it is claimed to be?), and recorded remote sessions (how far
away is the hand?). The data lies where FARHAND_EVAL_DATA says. With --json one object on standard output instead.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from tests.accuracy import hands, machine, recordings, sessions
from tests.accuracy.latency import VARIABLE, folder, last_miles


def main() -> int:
    """Print the tables. Exit status 1 when a target is missed, 2 without data."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", action="store_true", help="one object instead of tables")
    as_json = options.parse_args().json
    if folder() is None or recordings.folder() is None:
        print(f"no data: {VARIABLE} must name a folder with latency/ and sessions/ (docs/accuracy.md)", file=sys.stderr)
        return 2
    shares = {(line, count): machine.shares(line, count) for line in machine.LINES for count in machine.SETS}
    halves = machine.halves()
    targets = machine.kept(shares)
    heard = {length_s: sessions.measure(length_s) for length_s in sessions.LENGTHS_S}
    bounds = {"home": hands.shares(), "mobile": hands.shares(last_miles("CELLULAR"))}
    targets += hands.kept(bounds)
    wrong = sum(tally.wrong for both in heard.values() for tallies in both for tally in tallies.values())
    targets.append({"what": "recorded sessions: wrong windows and votes", "measured": wrong, "limit": 0})
    targets[-1] |= {"sense": "at most", "kept": wrong == 0}
    if as_json:
        print(json.dumps(_object(shares, halves, heard, targets) | {"hands": bounds}))
    else:
        _machine_table(shares)
        _halves_table(halves)
        _session_table(heard)
        _hands_table(bounds)
        _target_table(targets)
    return int(not all(target["kept"] for target in targets))


Shares = dict[tuple[str, int], dict[str, float]]
Heard = dict[float, tuple[sessions.Tallies, sessions.Tallies]]


def _object(
    shares: Shares, halves: list[dict[str, float]], heard: Heard, targets: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "seed": machine.SEED,
        "machine": [{"line": line, "landmarks": count, **row} for (line, count), row in shares.items()],
        "halves": halves,
        "sessions": [
            {"window_s": length_s, "group": group, "of": of, **asdict(tally)}
            for length_s, both in heard.items()
            for of, tallies in zip(("window", "vote"), both, strict=True)
            for group, tally in tallies.items()
        ],
        "targets": targets,
    }


def _machine_table(shares: Shares) -> None:
    print(f"Where is the machine? Shares of devices in percent, seed {machine.SEED}\n")
    print(f"{'':<34}" + "".join(f"{line + ', ' + str(count):>14}" for line, count in shares))
    for name in next(iter(shares.values())):
        print(f"{name:<34}" + "".join(f"{row[name]:>14.2f}" for row in shares.values()))


def _halves_table(halves: list[dict[str, float]]) -> None:
    print("\nHome lines, 20 landmarks, by half of the servers: the limit of lean was chosen by the first\n")
    for name in halves[0]:
        print(f"{name:<34}" + "".join(f"{row[name]:>14.2f}" for row in halves))


def _session_table(heard: Heard) -> None:
    print("\nHow far is the hand? right/of (wrong) of windows, and of votes over three windows in a row\n")
    groups = {group for windows, _ in heard.values() for group in windows}
    columns = [f"{length_s:g} s {of}" for length_s in heard for of in ("windows", "votes")]
    print(f"{'':<38}" + "".join(f"{column:>14}" for column in columns))
    for group in sorted(groups):
        cells = [_cell(tallies.get(group)) for both in heard.values() for tallies in both]
        print(f"{group:<38}" + "".join(f"{cell:>14}" for cell in cells))


def _hands_table(bounds: dict[str, dict[str, float]]) -> None:
    print("\nHow far at least, and who alarms? Shares of pairs of homes in percent, by the line of the other side\n")
    print(f"{'':<38}" + "".join(f"{line:>14}" for line in bounds))
    for name in bounds["home"]:
        print(f"{name:<38}" + "".join(f"{row[name]:>14.2f}" for row in bounds.values()))


def _cell(tally: sessions.Tally | None) -> str:
    return "" if tally is None else f"{tally.right}/{tally.of} ({tally.wrong})"


def _target_table(targets: list[dict[str, Any]]) -> None:
    print(f"\n{'target':<64}{'measured':>10}{'limit':>8}")
    for each in targets:
        sign = "≥" if each["sense"] == "at least" else "≤"
        limit = f"{sign} {each['limit']:g}"
        print(f"{each['what']:<64}{each['measured']:>10g}{limit:>8}{'' if each['kept'] else '  MISSED'}")


if __name__ == "__main__":
    sys.exit(main())
