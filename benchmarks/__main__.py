"""The command line: measure, then print one table."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.contestants import Contestants
from benchmarks.parts import FULL, QUICK, Parts
from benchmarks.table import markdown

PARTS = ("wide", "deep", "processor", "growth")


def main() -> int:
    """Run the parts asked for. Non-zero if an aim was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="small sizes, a few minutes")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", file=sys.stderr, flush=True)

    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contestants = Contestants(folder, say)
        parts = Parts(contestants, QUICK if given.quick else FULL, folder, say)
        for part in given.parts or PARTS:
            lines += getattr(parts, part)()
    sdk = importlib.metadata.version("singer-sdk")
    print(markdown(lines))
    print(
        f"\nPython {platform.python_version()}, singer-sdk {sdk}, {contestants.versions()}; "
        f"{time.monotonic() - began:.0f} s in all. Ratios: how many times faster than others, "
        "or how many times the floor; medians of rounds in which all take turns."
    )
    return int(any(line.met is False for line in lines))


sys.exit(main())
