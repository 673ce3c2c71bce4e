"""docs/not-verified.md: what is assumed of Qonto, from the one list in the code."""

from __future__ import annotations

from pages.markdown import MADE, paragraphs, quirks, table
from tap_qonto.cli.doctor.assumptions import AREAS

INTRODUCTION = """\
# What was not verified against a live account

Everything here was built and tested against `demo/`, a server written from public material: Qonto's
pages, its Postman collections and the source of public clients. Nobody who wrote it had an account.
So these are assumptions, each with what happens if it is wrong.
[First contact](maintainers/first-contact.md)
shows what a run and `doctor` make of a server that does otherwise.

If you have an account, this asks Qonto, read only, with at most 200 requests, and takes less than a
minute:

```bash
tap-qonto-auth doctor --report qonto-report.json
```

It prints a table, the surprising first, and ends with 4 if something does not hold. The report
holds names, types, counts and codes, never a value: please attach it to an issue, also if all is as
assumed.
"""


def page() -> str:
    """Make the page."""
    lines = [MADE.format(source="tap_qonto/cli/doctor/assumptions.py"), "", INTRODUCTION]
    for area, assumptions in AREAS.items():
        lines += [f"## {area}", ""]
        lines += table(
            ["", "Assumed", "If it is wrong", "What `doctor` does"],
            (
                [
                    str(one.number),
                    quirks(one.sentence),
                    quirks(one.otherwise),
                    paragraphs(one.check)[0] if one.check else "",
                ]
                for one in assumptions
            ),
        )
        lines.append("")
    return "\n".join(lines)
