"""python -m collector"""

from __future__ import annotations

import os
import sys

from collector.cli import run


def main() -> None:
    """Run the command line and leave with its exit status."""
    os.umask(0o077)  # the database and its backups hold the collector's keys
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
