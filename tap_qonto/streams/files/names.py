"""Names for files and folders: what Qonto sends was typed by somebody, and may be anything."""

from __future__ import annotations

import hashlib
import mimetypes
import re
import unicodedata

from pathvalidate import sanitize_filename

LONGEST = 150  # bytes of a name; folders and some file systems allow 255, paths on Windows 260
LONGEST_SUFFIX = 10
UNNAMED = "file"

_is_plain = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}").fullmatch


def file_name(given: str | None, content_type: str | None) -> str:
    """Make a name that is safe in any folder, archive and console, and still the user's.

    No folders, control or direction characters, characters or device names that Windows reserves;
    at most 150 bytes, of which the suffix is kept. Without a usable name it is `file` and the
    suffix that goes with the content type.
    """
    text = unicodedata.normalize("NFC", (given or "").encode("utf-8", "replace").decode())
    last = re.split(r"[/\\]", text)[-1]
    visible = "".join(c for c in last if unicodedata.category(c)[0] != "C")
    stem, dot, suffix = visible.replace("#", "_").strip(" .").rpartition(".")
    if not stem or len(suffix.encode()) > LONGEST_SUFFIX:
        stem, dot, suffix = f"{stem}{dot}{suffix}", "", ""
    room = LONGEST - len(f"{dot}{suffix}".encode())
    stem = stem.encode()[:room].decode(errors="ignore").strip(" .") or UNNAMED
    clean: str = sanitize_filename(f"{stem}{dot}{suffix}", platform="universal").strip(" .")
    if clean and clean != UNNAMED:
        return clean
    return f"{UNNAMED}{mimetypes.guess_extension(content_type or '') or ''}"


def folder_name(id_: str) -> str:
    """Return an id as it is if it can be the name of a folder anywhere, else a digest of it."""
    if _is_plain(id_) and not id_.endswith("."):
        return id_
    return f"id-{hashlib.sha256(id_.encode(errors='replace')).hexdigest()[:32]}"


def type_of(name: str) -> str | None:
    """Guess the content type from a name."""
    return mimetypes.guess_type(name)[0]
