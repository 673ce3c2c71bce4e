"""Ratios: the tap against a plain SDK tap, two peers and the limit, in one run. `make bench`."""

import sys
from pathlib import Path

# what tests share is used here too
sys.path.append(str(Path(__file__).parents[1] / "tests/support"))
