"""Write the pages that are made from the code, so that they can't be wrong about it.

    python scripts/docs.py            write them
    python scripts/docs.py --check    only name those that are out of step (exit code 1)

What each page says comes from docstrings, settings and the contract: edit those, not the pages.
Parts of hand-written files are made as well: whatever stands between `<!-- begin NAME -->` and
`<!-- end NAME -->`, in YAML between `# begin NAME` and `# end NAME`.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from pages import (
    contract,
    first_contact,
    hub,
    meltano,
    money,
    not_verified,
    personal,
    settings,
    sources,
    streams,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent

PAGES: dict[str, Callable[[], str]] = {
    "docs/streams.md": streams.page,
    "docs/settings.md": settings.page,
    "docs/maintainers/contract.md": contract.page,
    "docs/not-verified.md": not_verified.page,
    "docs/maintainers/first-contact.md": first_contact.page,
    "docs/without-personal-data.yml": personal.page,
    "hub/tap-qonto.yml": hub.definition,
    "dbt/models/staging/src_qonto.yml": sources.page,
}

PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"settings": settings.short_table, "streams": streams.short_table},
    "docs/loaders.md": {"money": money.part},
    "meltano.yml": {"settings": meltano.block},
    "examples/airflow/meltano.yml": {"settings": meltano.short_block},
}


def made() -> dict[Path, str]:
    """Make every page: file -> what should stand in it."""
    result = {ROOT / name: page() for name, page in PAGES.items()}
    for name, parts in PARTS.items():
        file = ROOT / name
        text = file.read_text(encoding="utf-8")
        for part, make in parts.items():
            text = put(text, part, make(), "# {}" if file.suffix == ".yml" else "<!-- {} -->")
        result[file] = text
    return result


def put(text: str, part: str, content: str, marker: str = "<!-- {} -->") -> str:
    """Put `content` between the markers of `part`, indented as they are.

    Raises:
        ValueError: the page has no such part.
    """
    begin, end = (re.escape(marker.format(f"{one} {part}")) for one in ("begin", "end"))
    pattern = re.compile(f"^( *)({begin}.*\n)(?:.*\n)*?( *{end}$)", re.MULTILINE)
    found = pattern.search(text)
    if not found:
        raise ValueError(f"no part {part}")
    inner = indent(f"{content.strip()}\n", found[1])
    return f"{text[: found.start()]}{found[1]}{found[2]}{inner}{found[3]}{text[found.end() :]}"


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    stale = [
        file
        for file, text in made().items()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    ]
    for file in stale:
        if options.check:
            print(f"{file.relative_to(ROOT)} is out of step: run `python scripts/docs.py`")
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(made()[file], encoding="utf-8")
            print(f"wrote {file.relative_to(ROOT)}")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
