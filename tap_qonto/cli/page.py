"""The page that the browser ends on. It loads nothing from anywhere."""

from __future__ import annotations

import typing as t
from html import escape

if t.TYPE_CHECKING:
    from collections.abc import Iterable

_STYLE = """
:root { color-scheme: light dark; --ink: #1d1d1b; --soft: #6b6a66; --paper: #fff; --wall: #f3f1ec;
  --line: #e4e1d9; --good: #1e7f5c; --bad: #b3402e }
@media (prefers-color-scheme: dark) { :root { --ink: #f1efe9; --soft: #a5a29a; --paper: #22211f;
  --wall: #171614; --line: #3a3834; --good: #5cc39b; --bad: #ee8a78 } }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--ink);
  background: var(--wall) }
main { max-width: 34rem; margin: 12vh auto 4vh; padding: 2.2rem 2.6rem; background: var(--paper);
  border: 1px solid var(--line); border-radius: 1rem }
.mark { display: block; width: 2.6rem; height: 2.6rem; border-radius: 50%; color: var(--paper);
  background: var(--good); font: 700 1.4rem/2.6rem system-ui, sans-serif; text-align: center }
.bad .mark { background: var(--bad) }
h1 { margin: 1rem 0 .4rem; font-size: 1.45rem; line-height: 1.25 }
p { margin: .4rem 0 } small, th { color: var(--soft) }
table { width: 100%; margin: 1.2rem 0; border-collapse: collapse }
td, th { padding: .5rem 0; border-top: 1px solid var(--line); text-align: left; font-weight: 400 }
td + td, th + th { text-align: right } td b { font-weight: 600 }
"""


def page(
    title: str,
    text: str,
    *,
    good: bool = True,
    organizations: Iterable[t.Mapping[str, t.Any]] = (),
    new: Iterable[str] = (),
) -> str:
    """Make the page. `organizations` have `id`, `name` and `role`; ids in `new` are marked."""
    added = set(new)
    rows = "".join(
        f"<tr><td><b>{escape(str(one['name']))}</b>"
        f"{' <small>new</small>' if one['id'] in added else ''}</td>"
        f"<td>{escape(str(one['role'] or ''))}</td></tr>"
        for one in organizations
    )
    table = f"<table><tr><th>Organization</th><th>Your role</th></tr>{rows}</table>" if rows else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width">'
        f'<style>{_STYLE}</style><main class="{"good" if good else "bad"}">'
        f'<span class="mark" aria-hidden="true">{"✓" if good else "!"}</span>'
        f"<h1>{escape(title)}</h1><p>{escape(text)}</p>{table}"
        "<p><small>You can close this window. tap-qonto goes on in the terminal.</small></p>"
        "</main></html>"
    )
