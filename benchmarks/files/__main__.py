"""Measure files: speed and memory, or with `--faults` what faults cost."""

from __future__ import annotations

import argparse
import sys

from benchmarks.files.faults import faults
from benchmarks.files.speed import PLAIN, speed


def main() -> None:
    """Print one of the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files", description=__doc__)
    parser.add_argument("--files", type=int, default=2000, help="default: 2000")
    parser.add_argument("--plain-files", type=int, default=PLAIN, help=f"default: {PLAIN}")
    parser.add_argument("--faults", action="store_true", help="what faults cost instead")
    parser.add_argument("--tries", type=int, default=3, help="of each fault (default: 3)")
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    given = parser.parse_args()
    if given.faults:
        is_well = faults(given.tries, given.only)
    else:
        is_well = speed(given.files, given.plain_files)
    sys.exit(not is_well)


main()
