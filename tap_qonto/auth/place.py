"""Where a token store is: its URL, its file, and whether that outlives a container."""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t
from pathlib import Path

import platformdirs
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from tap_qonto.errors import ExtraMissing, SettingsError

BUSY_WAIT = 15  # seconds for another connection's transaction
_WANTED = (
    "token_store {}: use sqlite:////path/to/file.db, or "
    "postgresql+psycopg://user:password@host/database."
)
_NO_DRIVER = "token_store is on Postgres, but its driver is not installed"
_OTHER_DRIVER = (
    "token_store names the driver {}, which can't be used here: begin the URL with "
    "postgresql+psycopg://"
)


def default_url() -> sa.URL:
    """Name the file that is used where `token_store` is not set.

    Raises:
        SettingsError: this user has no folder of its own.
    """
    folder = Path("~")  # which stands for nothing where there is no home
    with contextlib.suppress(RuntimeError):
        folder = platformdirs.user_data_path("tap-qonto", appauthor=False)
    if not folder.is_absolute():
        problem = (
            "This user has no home folder, so the session has no place: set token_store "
            "(TAP_QONTO_TOKEN_STORE), such as sqlite:////var/lib/tap-qonto/sessions.db, or HOME."
        )
        raise SettingsError([problem])
    return sa.URL.create("sqlite", database=str(folder / "sessions.db"))


def parsed(url: str | sa.URL) -> sa.URL:
    """Read the URL of a store; the driver is told, and the path of a file absolute.

    Raises:
        SettingsError: it can't work.
    """
    try:
        found = sa.make_url(url)
        backend = found.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise _refused("is no SQLAlchemy URL") from None
    if backend == "sqlite":
        name = found.database or ""
        if found.host:
            raise _refused("has two slashes where a path needs three, or four from the root")
        if found.drivername not in {"sqlite", "sqlite+pysqlite"}:
            raise _refused(f"begins with {found.drivername}")
        if not name or name == ":memory:" or name.startswith("file:"):
            raise _refused("names no file, so the session would be lost")
        try:
            return found.set(database=str(Path(name).expanduser().absolute()))
        except (RuntimeError, OSError):
            raise _refused("begins in a home folder, and this user has none") from None
    if backend in {"postgresql", "postgres"}:
        named = "+" in found.drivername
        return found if named else found.set(drivername="postgresql+psycopg")
    raise _refused(f"is on {backend}")


def engine(url: sa.URL) -> sa.Engine:
    """Make an engine for the store at `url`; does not connect.

    Raises:
        SettingsError: its driver is missing, or of another kind.
    """
    options: dict[str, t.Any] = {}
    if url.get_backend_name() == "sqlite":
        options = {"timeout": BUSY_WAIT}
    elif "psycopg" in url.drivername:
        options = {"connect_timeout": BUSY_WAIT}
    driver = url.drivername.partition("+")[2]
    try:
        made = sa.create_engine(
            url, poolclass=sa.NullPool, hide_parameters=True, connect_args=options
        )
    except NoSuchModuleError:
        raise _refused("names an unknown driver") from None
    except ImportError:
        missing = _NO_DRIVER if driver == "psycopg" else _OTHER_DRIVER.format(driver)
        raise ExtraMissing(missing, "postgres") from None
    if made.dialect.is_async:
        raise ExtraMissing(_OTHER_DRIVER.format(driver), "postgres")
    return made


def _refused(why: str) -> SettingsError:
    return SettingsError([_WANTED.format(why)])


def check_file(path: Path) -> None:
    """Look at the file of a store, if it is there, and touch nothing.

    Raises:
        OSError: it is no regular file.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(0, "it is no regular file")


def create_file(path: Path) -> None:
    """Create a file for its owner alone, and take rights from others on an old one.

    Raises:
        OSError: that can't be done, or there is something else than a file.
    """
    check_file(path)
    for folder in [one for one in reversed(path.parents) if not one.exists()]:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            folder.chmod(0o700)  # whatever the umask takes
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        if hasattr(os, "fchmod") and (mode & 0o077 or not mode & 0o600):
            with contextlib.suppress(PermissionError):  # someone else's file
                os.fchmod(handle, 0o600)
    finally:
        os.close(handle)


def survives(path: Path) -> bool:
    """Whether a file at `path` outlives a container, or a restart; True where nobody can tell."""
    in_container = "KUBERNETES_SERVICE_HOST" in os.environ or any(
        Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv")
    )
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return not in_container
    place, kind = max(
        (
            (Path(before.split()[4]), after.split()[0])
            for before, _, after in (mount.partition(" - ") for mount in mounts)
            if path.is_relative_to(before.split()[4])
        ),
        key=lambda mount: len(mount[0].parts),
        default=(Path("/"), "unknown"),
    )
    passing = {"tmpfs", "ramfs", "overlay", "aufs", "fuse-overlayfs"}
    return kind not in passing and not (in_container and place == Path("/"))
