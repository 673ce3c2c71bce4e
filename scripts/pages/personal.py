"""docs/without-personal-data.yml: `select` rules that leave out all personal data (Q94)."""

from __future__ import annotations

from pages.hub import plugin_in_meltano_yml
from tap_qonto.api.contract import CONTRACT, endpoints, fields

HEAD = """\
# Made by `python scripts/docs.py` from the marks in the contract.
#
# To keep personal data out of the warehouse, put this in place of `select` of tap-qonto in your
# meltano.yml. What sits in a list is left out with the whole list. Fields that Qonto adds inside
# nested objects later come through until the contract knows them. With the setting `files`, add
# "!files.name" and "!files.path": people named the files (docs/files.md, "Personal data").
select:
"""


def page() -> str:
    """Make the file."""
    lines = [f'- "{rule}"' for rule in (*plugin_in_meltano_yml()["select"], *rules())]
    return HEAD + "\n".join(lines) + "\n"


def rules() -> list[str]:
    """One rule per field that holds personal data, at any depth."""
    found = {
        f"!{stream}.{'.'.join(path).split('.[]')[0]}": None
        for stream in endpoints()
        for path, field in fields(CONTRACT.get_schema(stream))
        if field.get("x-pii")
    }
    return list(found)
