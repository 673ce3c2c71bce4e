"""The limit of any tap in Python: decode the pages of a file and encode their rows, no more.

    python -m benchmarks.limit PAGES

PAGES holds bodies of `/v2/transactions`, one a line.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from tap_qonto.api.responses import decode


def main() -> None:
    encode = msgspec.json.Encoder(decimal_format="number").encode
    out = sys.stdout.buffer
    with Path(sys.argv[1]).open("rb") as pages:
        for page in pages:
            for row in decode(page)["transactions"]:
                message = {"type": "RECORD", "stream": "transactions", "record": row}
                out.write(encode(message))
                out.write(b"\n")


main()
