"""Where a token store can be, and what is said where it can't."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest

from tap_qonto.auth.place import survives
from tap_qonto.auth.refresh import open_store
from tap_qonto.auth.token_store import TokenStore
from tap_qonto.errors import SettingsError, StoreError
from tap_qonto.settings import Settings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT = {"TAP_QONTO_CLIENT_ID": "an-id", "TAP_QONTO_CLIENT_SECRET": "s3cret"}
NOBODY = 54321  # a user id that has no entry anywhere


def store(url: str) -> TokenStore:
    return TokenStore(url, issuer="", client_id="", client_secret="")


needs_root = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root can be another user"
)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may use."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


@needs_root
def test_without_a_home_and_a_store_a_sentence_says_what_to_set(open_folder: Path) -> None:
    done = run_as_nobody(open_folder, {})
    assert done.returncode == 1, done.stdout
    assert "This user has no home folder" in done.stdout
    assert "set token_store (TAP_QONTO_TOKEN_STORE)" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not list(open_folder.iterdir())


@needs_root
def test_without_a_home_a_store_that_is_named_works(open_folder: Path) -> None:
    done = run_as_nobody(open_folder, {"TAP_QONTO_TOKEN_STORE": f"sqlite:///{open_folder}/s.db"})
    assert done.returncode == 3, done.stdout + done.stderr
    assert "There is no session" in done.stdout


def run_as_nobody(folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The command in a process that becomes a user without an entry, once all is imported."""
    code = (
        "import os, tap_qonto.cli.main as main, tap_qonto.auth.refresh, tap_qonto.cli.status\n"
        "from click.testing import CliRunner\n"
        "import sqlalchemy.dialects.sqlite, sqlite3, sqlalchemy.dialects.postgresql\n"
        f"os.setuid({NOBODY})\n"
        "for name in ('HOME', 'XDG_DATA_HOME'): os.environ.pop(name, None)\n"
        "result = CliRunner().invoke(main.auth, ['status'], catch_exceptions=False)\n"
        "print(result.output)\n"
        "raise SystemExit(result.exit_code)\n"
    )
    clean = {name: value for name, value in os.environ.items() if "QONTO" not in name}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=clean | CLIENT | env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["what?", "a%41b", "mit Leerzeichen", "#1", "ünïcode"])
def test_a_home_of_any_name_holds_the_store(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / name
    home.mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    opened = open_store(Settings.from_config({"client_id": "an-id", "client_secret": "s3cret"}))
    with opened.locked():
        pass
    assert (home / "tap-qonto" / "sessions.db").is_file()
    assert [one.name for one in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://tmp/x.db", "has two slashes where a path needs three"),
        ("sqlite+aiosqlite:////tmp/x.db", r"begins with sqlite\+aiosqlite"),
        ("sqlite+pysqlcipher:////tmp/x.db", r"begins with sqlite\+pysqlcipher"),
        ("sqlite:///~nobody-here/x.db", "begins in a home folder, and this user has none"),
        ("postgresql+psycopg2://me@host/d", "names the driver psycopg2, which can't be used here"),
        ("postgresql+asyncpg://me@host/d", "names the driver asyncpg, which can't be used here"),
        ("postgresql+psycopg_async://me@host/d", "names the driver psycopg_async"),
        ("oracle://me:s3cret@host/d", "is on oracle|is no SQLAlchemy URL"),
    ],
)
def test_an_url_that_can_not_work_says_what_would(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)  # other packages may have brought it
    with pytest.raises(SettingsError, match=said) as caught:
        store(url)
    assert "s3cret" not in str(caught.value)
    assert "postgresql+psycopg://" in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="has no such files")
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_regular_file_is_refused_and_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "store"
    if kind == "pipe":
        os.mkfifo(place, 0o644)
    elif kind == "folder":
        place.mkdir(mode=0o755)
    else:
        place = Path("/dev/null")
    before = place.stat().st_mode
    opened = store(f"sqlite:///{place}")
    with pytest.raises(StoreError, match="it is no regular file"):
        opened.load()
    with pytest.raises(StoreError, match="it is no regular file"), opened.locked():
        pass
    assert place.stat().st_mode == before


@pytest.mark.skipif(os.name != "posix", reason="has no umask")
@pytest.mark.parametrize("umask", ["000", "022", "077", "177", "777"])
def test_a_store_is_its_owners_alone_under_any_umask(tmp_path: Path, umask: str) -> None:
    code = (
        f"import os; os.umask(0o{umask})\n"
        "from tap_qonto.auth.token_store import TokenStore\n"
        "store = TokenStore('sqlite:///a/b/s.db', issuer='', client_id='', client_secret='')\n"
        "with store.locked(): pass\n"
        "store.load()\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    made = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.rglob("*")}
    assert made == {"a": 0o700, "b": 0o700, "s.db": 0o600, "s.db.lock": 0o600}


@pytest.mark.parametrize("place", ["/dev/null/store", "/proc/nothing/store"])
def test_a_place_that_cannot_be_written_is_one_sentence(place: str) -> None:
    lock = store(f"sqlite:///{place}/sessions.db").locked()
    with pytest.raises(StoreError, match=r"can't be locked: .*TAP_QONTO_TOKEN_STORE"), lock:
        pass


def test_a_home_directory_may_be_written_with_a_tilde() -> None:
    assert store("sqlite:///~/x.db").path == Path.home() / "x.db"


@pytest.mark.skipif(not Path("/dev/shm").is_mount(), reason="no tmpfs at /dev/shm here")
def test_a_place_in_memory_is_known_not_to_survive() -> None:
    assert not survives(Path("/dev/shm/sessions.db"))


def test_a_containers_own_disk_is_known_not_to_survive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if tmp_path.is_relative_to("/dev/shm") or os.path.ismount("/tmp"):
        pytest.skip("the temporary folder is a mount of its own here")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert not survives(tmp_path / "sessions.db")
