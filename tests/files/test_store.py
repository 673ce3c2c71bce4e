"""Where files lie: whole or not there, whoever is killed and however many are at work."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import subprocess
import sys
import time
import typing as t

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tap_qonto.errors import SettingsError
from tap_qonto.streams.files import store as stores
from tap_qonto.streams.files.archive import Kept
from tap_qonto.streams.files.store import FileStore, FileStoreError

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Host, Keeper, Make

SMALL = os.urandom(20_000)
LARGE = os.urandom(stores.PART + 2**20)
PATH = "o/statement/s-1/a b é.pdf"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An S3 on localhost, with the environment that S3 is reached by."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "eu-west-3",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ALLOW_HTTP": "true",
        }.items():
            patch.setenv(name, value)
        client = boto3.client("s3", region_name="eu-west-3")
        client.create_bucket(
            Bucket="receipts", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"}
        )
        client.close()
        yield "s3://receipts/below"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return f"{request.getfixturevalue('bucket')}/{tmp_path.name}"
    return str(tmp_path / "new" / "files")


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_what_is_put_is_there_whole_and_listed(content: bytes, address: str) -> None:
    store = FileStore(address)
    assert store.stored("o", "statement") == {}
    assert store.put(PATH, io.BytesIO(content), len(content), "application/pdf")
    again = FileStore(address)
    ((folder, found),) = again.stored("o", "statement").items()
    assert (folder, found.path, found.bytes) == ("s-1", PATH, len(content))
    assert abs(found.stored_at.timestamp() - time.time()) < 60
    assert again.sha256(PATH) == hashlib.sha256(content).hexdigest()
    assert again.stored("o", "state") == {}


def test_what_is_there_is_not_written_over(address: str) -> None:
    store = FileStore(address)
    assert store.put(PATH, io.BytesIO(SMALL), len(SMALL), None)
    assert not store.put(PATH, io.BytesIO(b"other"), 5, None)
    assert store.sha256(PATH) == hashlib.sha256(SMALL).hexdigest()


def test_a_cloud_is_told_the_type(bucket: str) -> None:
    FileStore(f"{bucket}/types").put("o/k/f/a.pdf", io.BytesIO(SMALL), 1, "application/pdf")
    client = boto3.client("s3", region_name="eu-west-3")
    head = client.head_object(Bucket="receipts", Key="below/types/o/k/f/a.pdf")
    client.close()
    assert head["ContentType"] == "application/pdf"


def test_files_are_kept_in_a_cloud_and_not_fetched_again(
    bucket: str, host: Host, make: Make
) -> None:
    ((row, _),) = make(files=f"{bucket}/kept")(host.document())
    ((again, _),) = make(files=f"{bucket}/kept")(host.document())
    assert again["sha256"] == row["sha256"]
    assert {**again, "fetched_at": 0} == {**row, "fetched_at": 0}
    assert len(host.wire.calls) == 1


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://no-such-bucket/x", "its server answers 404|not found"),
        ("s3://receipts/x", "its server answers 403|permission"),
    ],
)
def test_a_cloud_that_refuses_is_named_without_its_answer(
    address: str,
    said: str,
    bucket: str,  # noqa: ARG001 - its environment
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    if "receipts" in address:  # nobody listens there
        said = "its server does not answer"
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setattr(stores, "RETRIES", {"max_retries": 0})
    store = FileStore(address)
    with pytest.raises(FileStoreError, match=said) as caught:
        store.put("o/k/f/a.pdf", io.BytesIO(b"x"), 1, None)
    assert "127.0.0.1" not in str(caught.value)
    assert "<" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://", "can't be opened"),
        ("/dev/null/x", "Not a directory"),
        ("az://container/x", "Account must be specified"),
    ],
)
def test_a_place_that_is_none_is_named_with_the_setting(address: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        FileStore(address)
    assert str(caught.value).startswith("files names a place")


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    FileStore(str(tmp_path / "files"))
    assert (tmp_path / "files").stat().st_mode & 0o777 == 0o700


def test_what_kills_left_is_not_listed_and_leaves_in_time(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    store.put("o/k/f/a.pdf", io.BytesIO(SMALL), 1, None)
    young, old = tmp_path / "o/k/g/b.pdf#1", tmp_path / "o/k/h/c.pdf#2"
    for half in (young, old):
        half.parent.mkdir()
        half.write_bytes(b"half")
    long_ago = time.time() - stores.LEFT_AFTER - 60
    os.utime(old, (long_ago, long_ago))
    assert list(store.stored("o", "k")) == ["f"]
    assert young.exists()
    assert not old.exists()


FULL = """
import io, resource, signal, sys
from tap_qonto.streams.files.store import FileStore, FileStoreError
store = FileStore(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
for size in (20_000, 6_000_000):
    try: store.put(f"o/k/f-{size}/a.pdf", io.BytesIO(b"x" * size), size, None)
    except FileStoreError as error: print(error)
"""


def test_a_full_disk_is_named_and_leaves_no_file(tmp_path: Path) -> None:
    said = subprocess.check_output([sys.executable, "-c", FULL, str(tmp_path)], text=True)
    assert said == "the store can't be written: File too large\n" * 2
    assert FileStore(str(tmp_path)).stored("o", "k") == {}
    assert [one for one in tmp_path.rglob("*.pdf") if one.is_file()] == []


def test_a_store_that_refuses_a_file_is_named(host: Host, keep: Keeper) -> None:
    (keep.folder / "o-1").write_bytes(b"a file in the place of a folder")
    (lost,) = keep(host.document())
    assert isinstance(lost, FileStoreError)


def test_a_row_is_told_again_without_a_download(host: Host, make: Make) -> None:
    (first,) = make()(host.document())
    (again,) = make()(host.document(link=None))
    assert isinstance(first, Kept)
    assert isinstance(again, Kept)
    assert {**again.row, "fetched_at": 0} == {**first.row, "fetched_at": 0}
    assert len(host.wire.calls) == 1


KILLED = """
import io, sys
from tap_qonto.streams.files.store import FileStore
store = FileStore(sys.argv[1])
number = 0
while True:
    number += 1
    print("begins", number, flush=True)
    content = number.to_bytes(4, "big") * (300_000 + 3_000_000 * (number % 2))
    store.put(f"o/k/f-{number}/a.bin", io.BytesIO(content), len(content), None)
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_no_half_file_under_its_name(tmp_path: Path) -> None:
    whole = 0
    for attempt in range(6):
        folder = tmp_path / str(attempt)
        command = [sys.executable, "-c", KILLED, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(2 + attempt % 2):  # one file is whole, and the next under way
                process.stdout.readline()
            time.sleep(0.01 * attempt)
            process.kill()
        for found in FileStore(str(folder)).stored("o", "k").values():
            number = int(found.path.split("/")[2].removeprefix("f-"))
            content = number.to_bytes(4, "big") * (300_000 + 3_000_000 * (number % 2))
            assert (folder / found.path).read_bytes() == content
            whole += 1
    assert whole


TOGETHER = """
import io, sys
from tap_qonto.streams.files.store import FileStore
store = FileStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(60):
    content = number.to_bytes(2, "big") * (2_000 if number % 20 else 3_000_000)
    store.put(f"o/k/f-{number}/a.bin", io.BytesIO(content), len(content), None)
"""


@pytest.mark.slow
def test_several_runs_at_once_do_each_other_no_harm(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for one in processes:
        assert one.stdout is not None
        one.stdout.readline()
    for one in processes:
        one.communicate("go\n")
        assert one.returncode == 0
    found = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert len(found) == 60
    for number in range(60):
        content = number.to_bytes(2, "big") * (2_000 if number % 20 else 3_000_000)
        assert (tmp_path / f"o/k/f-{number}/a.bin").read_bytes() == content
