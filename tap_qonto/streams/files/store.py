"""FileStore: a folder, here or in a cloud, in which a file is either whole or not there.

A file is put under its name in one step, and only if there is none of that name: in a folder by
a link to a finished file, in a cloud by a conditional request. Beyond 5 MB it goes in parts,
which become an object when all are there. So neither a kill nor a second run leaves half a file.
What a kill leaves of a file in a folder ends in `#1`, is never listed as stored, and is removed
after a day.

There is no list of what is stored but the store itself, and no file beside a file: what a row
tells of it is read from the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import time
import typing as t
from collections import OrderedDict
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from tap_qonto.errors import QontoError, SettingsError
from tap_qonto.streams.files.names import folder_name

if t.TYPE_CHECKING:
    from datetime import datetime

    from obstore.store import ObjectStore, RetryConfig

PART = 5 * 2**20  # bytes; what is larger goes in parts. The least that S3 takes
LISTS = 64  # of organization and kind, that are remembered
LEFT_AFTER = 86400  # seconds after which what a kill left is removed
PRIVATE = 0o700
RETRIES: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(minutes=1)}  # of a cloud


class FileStoreError(QontoError):
    """It can't be read or written; the message has the reason, never the address."""


class Stored(t.NamedTuple):
    """A file that is there. `path` is below the store's root; `stored_at` by the store's clock."""

    path: str
    bytes: int
    stored_at: datetime


class FileStore:
    """The place that the setting `files` names; used from any thread."""

    def __init__(self, address: str) -> None:
        self._store = _opened(address)
        self._folder = self._store.prefix if isinstance(self._store, LocalStore) else None
        place = str(self._folder or address.partition("?")[0].rstrip("/"))
        self.identity = hashlib.sha256(place.encode()).hexdigest()[:12]
        """A short name of this place: what a bookmark says of another one is not true of it."""
        self._lock = threading.Lock()
        self._lists: OrderedDict[tuple[str, str], dict[str, Stored]] = OrderedDict()

    def stored(self, organization_id: str, kind: str) -> dict[str, Stored]:
        """Return the files of an organization and kind by `folder_name(file_id)`: listed once.

        Raises:
            FileStoreError: the store can't be listed.
        """
        key = (organization_id, kind)
        with self._lock:
            if key in self._lists:
                self._lists.move_to_end(key)
                return self._lists[key]
        found: dict[str, Stored] = {}
        below = f"{folder_name(organization_id)}/{kind}"
        try:
            self._sweep(below)
            for chunk in obstore.list(self._store, below):
                for one in chunk:
                    folder = one["path"].split("/")[2:-1]
                    if len(folder) == 1:
                        stored = Stored(one["path"], one["size"], one["last_modified"])
                        found[folder[0]] = min(found.get(folder[0], stored), stored)
        except (BaseError, OSError) as error:
            raise FileStoreError(f"the store can't be listed: {reason(error)}") from None
        with self._lock:
            while len(self._lists) >= LISTS:
                self._lists.popitem(last=False)
            return self._lists.setdefault(key, found)

    def _sweep(self, below: str) -> None:
        """Remove what earlier kills left in a folder."""
        if self._folder is None:
            return
        for left in (self._folder / below).glob("*/*#*"):
            if left.suffix.rpartition("#")[2].isdigit():
                with contextlib.suppress(OSError):
                    if time.time() - left.stat().st_mtime > LEFT_AFTER:
                        left.unlink()

    def put(self, path: str, content: t.IO[bytes], size: int, content_type: str | None) -> bool:
        """Keep `content`, read from its begin, under `path`. False: there is such a file already.

        Raises:
            FileStoreError: it can't be written.
        """
        content.seek(0)
        attributes = {}
        if content_type and self._folder is None:
            attributes["Content-Type"] = content_type
        try:
            if size <= PART:
                obstore.put(self._store, path, content.read(), mode="create", attributes=attributes)
            else:
                obstore.put(
                    self._store,
                    path,
                    content,
                    use_multipart=True,
                    chunk_size=PART,
                    max_concurrency=1,
                    attributes=attributes,
                )
        except AlreadyExistsError:
            return False
        except (BaseError, OSError) as error:
            raise FileStoreError(f"the store can't be written: {reason(error)}") from None
        return True

    def sha256(self, path: str) -> str:
        """Return the digest of a file that is there, in hexadecimal; read part by part.

        Raises:
            FileStoreError: it can't be read.
        """
        digest = hashlib.sha256()
        try:
            for part in obstore.get(self._store, path).stream(min_chunk_size=2**20):
                digest.update(part)
        except (BaseError, OSError) as error:
            raise FileStoreError(f"the store can't be read: {reason(error)}") from None
        return digest.hexdigest()


def _opened(address: str) -> ObjectStore:
    try:
        if "://" not in address:
            folder = Path(address).expanduser().absolute()
            folder.mkdir(PRIVATE, parents=True, exist_ok=True)
            return LocalStore(folder)
        return from_url(address, retry_config=RETRIES)
    except (BaseError, OSError, ValueError) as error:
        raise SettingsError(
            [f"files names a place that can't be opened: {reason(error)}. See docs/files.md."]
        ) from None


def reason(error: Exception) -> str:
    """Name what went wrong in a store, without addresses or what its server wrote."""
    number = getattr(error, "errno", None) or _first(r"\(os error (\d+)\)", str(error))
    if number:
        return os.strerror(int(number))
    status = _first(r"(?:status:? |returned (?:non-2xx status code: )?)([1-5]\d\d)", str(error))
    if status:
        return f"its server answers {status}"
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", type(error).__name__.removesuffix("Error")).lower()
    missing = _first(r"(\w+ must be specified|Missing \w+)", str(error))
    return missing or ("its server does not answer" if words in {"generic", "base"} else words)


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None
