"""The stream `files`: whole runs of the tap against the demo's files."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
import typing as t

import pytest
from taps import Outcome, command, read, start

from demo.files import every, link
from demo.server import Server, running
from tap_qonto.settings import FILE_KINDS
from tap_qonto.streams.files import files
from tap_qonto.tap import TapQonto

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def qonto() -> Iterator[Server]:
    with running(seed=7, organizations=1, transactions=40, accounts=2, gates=False) as server:
        yield server


class Reading:
    """Runs of the tap that read `files` alone into one folder, each from the last one's state."""

    def __init__(self, qonto: Server, store: str, folder: Path) -> None:
        self.qonto, self.folder = qonto, folder
        self.config = qonto.config(token_store=store, files=str(folder))
        self.state: dict[str, t.Any] = {}

    def __call__(self, *others: str, keep_state: bool = True, **more: t.Any) -> Outcome:
        self.qonto.requests.clear()
        self.qonto.files.requests.clear()
        config = {**self.config, **more}
        outcome = read(config, state=self.state, catalog=catalog(config, "files", *others))
        if keep_state:
            self.state = outcome.state
        return outcome

    @property
    def links_asked(self) -> int:
        return sum(one.path.startswith("/v2/attachments/") for one in self.qonto.requests)

    def stored(self) -> dict[tuple[str, str, str], Path]:
        found = [one for one in self.folder.rglob("*") if one.is_file()]
        return {one.relative_to(self.folder).parts[:3]: one for one in found}  # type: ignore[misc]

    def pending(self) -> int:
        """Certified copies that will come."""
        return sum(
            one["probative_attachment"]["status"] == "pending"
            for organization in self.qonto.bank.organizations
            for row in self.qonto.bank.rows("transactions", organization.id)
            for one in row["attachments"]
        )

    def truth(self) -> dict[tuple[str, str, str], bytes]:
        return {
            (one.id, *key): make()
            for one in self.qonto.bank.organizations
            for key, make in every(self.qonto.bank, one.id).items()
        }


def catalog(config: dict[str, t.Any], *streams: str) -> dict[str, t.Any]:
    found = TapQonto(config=config, validate_config=False).catalog_dict
    for stream in found["streams"]:
        for one in stream["metadata"]:
            if not one["breadcrumb"]:
                one["metadata"]["selected"] = stream["stream"] in streams
    return t.cast("dict[str, t.Any]", found)


@pytest.fixture
def reading(qonto: Server, store: str, tmp_path: Path) -> Reading:
    return Reading(qonto, store, tmp_path / "files")


def test_every_file_is_kept_and_told(reading: Reading) -> None:
    outcome = reading()
    assert outcome.code == 0, outcome.log
    truth, stored = reading.truth(), reading.stored()
    assert {key: file.read_bytes() for key, file in stored.items()} == truth
    assert {kind for _, kind, _ in truth} == {*FILE_KINDS}
    rows = {
        (row["organization_id"], row["kind"], row["file_id"]): row for row in outcome.rows("files")
    }
    assert rows.keys() == truth.keys()
    for key, row in rows.items():
        assert row["sha256"] == hashlib.sha256(truth[key]).hexdigest()
        assert row["bytes"] == len(truth[key])
        assert reading.folder / row["path"] == stored[key]
        assert row["path"] == "/".join([*key, row["name"]])
        assert row["content_type"] in {"application/pdf", "image/png", "image/jpeg"}
    assert "signature" not in outcome.out + outcome.log


def told(*outcomes: Outcome) -> dict[tuple[str, str, str], str]:
    """Digests as a warehouse holds them, by key."""
    return {
        (row["organization_id"], row["kind"], row["file_id"]): row["sha256"]
        for outcome in outcomes
        for row in outcome.rows("files")
    }


def test_nothing_is_fetched_twice_whatever_happens_to_the_state(reading: Reading) -> None:
    first = reading()
    again = reading()
    assert (again.code, reading.qonto.files.requests) == (0, [])
    assert reading.links_asked == reading.pending()
    reading.state = {}
    anew = reading()
    assert (anew.code, reading.qonto.files.requests, reading.links_asked) == (0, [], 0)
    assert told(anew) == told(first)


def test_a_statement_that_was_told_is_not_read_again_from_the_store(reading: Reading) -> None:
    reading(file_kinds=["statement"])
    for partition in reading.state["bookmarks"]["files"]["partitions"]:
        partition["files"]["told"] = "2999-01-01T00:00:00Z"
    assert reading(file_kinds=["statement"]).rows("files") == []


@pytest.mark.slow
def test_a_file_whose_row_was_lost_is_told_without_a_download(reading: Reading) -> None:
    first = reading(keep_state=False)
    second = reading()
    assert reading.qonto.files.requests == []
    assert told(second) == told(first)


@pytest.mark.slow
def test_a_full_table_tells_every_file_each_time_and_forgets_none(reading: Reading) -> None:
    config = {**reading.config, "emit_activate_version_messages": True}
    chosen = catalog(config, "files")
    for stream in chosen["streams"]:
        stream["replication_method"] = "FULL_TABLE"
    first, second = read(config, catalog=chosen), read(config, catalog=chosen)
    assert told(first) == told(second)
    assert {key: hashlib.sha256(one).hexdigest() for key, one in reading.truth().items()} == told(
        first
    )
    assert first.types("ACTIVATE_VERSION") == []  # what Qonto deleted stays in the folder


def test_links_that_come_with_a_row_are_used(reading: Reading) -> None:
    kinds = ["transaction_attachment", "certified_copy", "statement"]
    reading(file_kinds=kinds)
    assert reading.links_asked == 0
    assert len(reading.qonto.files.requests) == len(reading.stored())


def test_a_dead_link_is_asked_for_anew(reading: Reading) -> None:
    reading.qonto.options.link_seconds = -1  # those of rows; by id they live
    reading.qonto.on_request = lambda received: setattr(
        reading.qonto.options,
        "link_seconds",
        1800 if received.path.startswith(("/v2/attachments/", "/v2/statements/")) else -1,
    )
    outcome = reading()
    assert outcome.code == 0, outcome.log
    assert {key: file.read_bytes() for key, file in reading.stored().items()} == reading.truth()
    assert "signature" not in outcome.out + outcome.log


@pytest.mark.slow
def test_what_cannot_be_fetched_is_reported_and_tried_again(reading: Reading) -> None:
    quotes = {key for key in reading.truth() if key[1] == "quote"}
    reading.qonto.files.faults.add("status", status=500, times=4 * len(quotes) - 1)
    first = reading(file_kinds=["quote"])
    assert first.code == 1
    assert "a quote was not fetched: its server answers 500; the next run tries again" in first.log
    assert told(first).keys() < quotes
    reading.qonto.files.faults.clear()
    second = reading(file_kinds=["quote"])
    assert second.code == 0, second.log
    assert told(first, second).keys() == reading.stored().keys() == quotes


@pytest.mark.slow
def test_what_is_gone_is_skipped_named_and_tried_again(reading: Reading) -> None:
    organization = reading.qonto.bank.organizations[0].id
    (id_, *_) = [
        id_ for org, kind, id_ in reading.truth() if (org, kind) == (organization, "quote")
    ]
    reading.qonto.faults.add("status", status=404, path=f"/v2/attachments/{id_}")
    for _ in range(2):
        outcome = reading()
        assert outcome.code == 0
        assert "a quote was not fetched: it is gone (404); the next run tries again" in outcome.log
        assert id_ in outcome.log
        assert reading.links_asked
    reading.qonto.faults.clear()
    assert (organization, "quote", id_) in told(reading())


def test_with_on_denied_fail_what_is_gone_fails_the_run(reading: Reading) -> None:
    reading.qonto.files.faults.add("status", status=404, times=4)
    assert reading(on_denied="fail", file_kinds=["quote"]).code == 1


@pytest.mark.slow
def test_a_certified_copy_that_comes_later_is_fetched_then(reading: Reading) -> None:
    reading()
    bank, organization = reading.qonto.bank, reading.qonto.bank.organizations[0].id
    row, one = next(
        (row, one)
        for row in bank.rows("transactions", organization)
        for one in row["attachments"]
        if one["probative_attachment"]["status"] == "pending"
    )
    key = (organization, "certified_copy", one["id"])
    assert key not in reading.stored()
    one["probative_attachment"] = {
        "status": "available",
        "file_name": "certified.pdf",
        "file_content_type": "application/pdf",
        "file_size": "12000",
        "url": link("probative", one["id"], "pdf", 12000),
    }
    bank.edit(  # as if nothing had changed
        "transactions",
        organization,
        row["id"],
        attachments=row["attachments"],
        updated_at=row["updated_at"],
    )
    outcome = reading()
    assert outcome.code == 0, outcome.log
    assert key in told(outcome)
    assert reading.stored()[key].name == "certified.pdf"


@pytest.mark.slow
def test_kinds_that_are_left_out_are_not_looked_for_until_they_are_wanted(
    reading: Reading,
) -> None:
    first = reading(file_kinds=["transaction_attachment"])
    assert {kind for _, kind, _ in reading.stored()} == {"transaction_attachment"}
    assert {one.path for one in reading.qonto.requests} <= {
        "/oauth2/token",
        "/v2/user_organizations",
        "/v2/organization",
        "/v2/transactions",
    }
    second = reading()
    assert told(first, second).keys() == reading.stored().keys() == reading.truth().keys()


@pytest.mark.slow
def test_another_folder_gets_every_file_though_the_state_is_kept(
    reading: Reading, tmp_path: Path
) -> None:
    reading()
    before = reading.stored().keys()
    reading.folder = tmp_path / "elsewhere"
    reading(files=str(reading.folder))
    assert reading.stored().keys() == before
    reading(files=str(reading.folder))
    assert reading.qonto.files.requests == []


def test_with_more_missing_than_the_state_holds_the_bookmark_stays(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_MISSING", 3)
    reading.qonto.files.faults.add("status", status=403, path="/attachments")
    reading(file_kinds=["transaction_attachment"])
    reading.qonto.files.faults.clear()
    outcome = reading(file_kinds=["transaction_attachment"])
    assert outcome.code == 0
    assert told(outcome).keys() == {one for one in reading.truth() if one[1].startswith("tr")}


@pytest.mark.slow
def test_a_store_that_cannot_be_written_fails_the_stream_alone(reading: Reading) -> None:
    reading.folder.mkdir()
    for one in reading.qonto.bank.organizations:
        (reading.folder / one.id).write_bytes(b"in the way")
    outcome = reading("labels")
    assert outcome.code == 1
    assert "the store can't be" in outcome.log
    assert outcome.rows("labels")
    for one in reading.qonto.bank.organizations:
        (reading.folder / one.id).unlink()
    assert told(reading()).keys() == reading.truth().keys()


def test_a_folder_that_cannot_be_made_is_named(reading: Reading) -> None:
    outcome = reading(files="/dev/null/x")
    assert outcome.code == 1
    assert "files names a place that can't be opened: Not a directory" in outcome.log


@pytest.mark.slow
def test_test_mode_fetches_few_files(reading: Reading, tmp_path: Path) -> None:
    chosen = catalog(reading.config, "files")
    outcome = command(tmp_path, "--test", config=reading.config, catalog=chosen)
    assert outcome.code == 0, outcome.log
    assert 0 < len(reading.stored()) < 5


def test_without_the_setting_nothing_changes(qonto: Server, store: str) -> None:
    config = qonto.config(token_store=store)
    names = {one["stream"] for one in catalog(config)["streams"]}
    assert "files" not in names
    assert {one["stream"] for one in catalog({**config, "files": "x"})["streams"]} == {
        "files",
        *names,
    }


WITHOUT_EXTRA = """
import sys
sys.modules["obstore"] = None
from tap_qonto.tap import TapQonto
assert TapQonto(config={}, validate_config=False).streams
TapQonto.cli(["--discover", "--config", sys.argv[1]])
"""


def test_without_the_extra_the_setting_says_what_to_install_and_nothing_else_changes(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"client_id": "a", "client_secret": "b", "files": "files"}')
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRA, str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "files is set, which needs obstore. Add the extra files: pip install" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_runs_that_are_killed_at_any_moment_lose_no_file_and_leave_no_half(
    seed: int, reading: Reading, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    reading.qonto.options.file_latency = 0.05
    downloads = reading.qonto.files.requests
    outcomes, state, truth = [], None, reading.truth()
    for attempt in range(4):
        with (tmp_path / "out").open("wb") as out, (tmp_path / "log").open("wb") as log:
            process = start(
                tmp_path,
                config=reading.config,
                state=state,
                catalog=catalog(reading.config, "files"),
                stdout=out,
                stderr=log,
            )
        enough = len(downloads) + (chance.randint(1, 30) if attempt < 3 else 1000)
        while len(downloads) < enough and process.poll() is None:
            time.sleep(0.005)
        process.kill()
        process.wait()
        text = (tmp_path / "out").read_bytes()
        whole, log_text = text[: text.rfind(b"\n") + 1].decode(), (tmp_path / "log").read_text()
        outcomes.append(Outcome(process.returncode, whole, log_text))
        state = outcomes[-1].state or state
        for key, file in reading.stored().items():
            if "#" not in file.name:
                assert file.read_bytes() == truth[key]
    assert outcomes[-1].code == 0, outcomes[-1].log
    assert told(*outcomes).keys() == truth.keys()


@pytest.mark.slow
def test_two_runs_at_once_on_one_folder_do_no_harm(reading: Reading, tmp_path: Path) -> None:
    processes = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        processes.append(
            start(folder, config=reading.config, catalog=catalog(reading.config, "files"))
        )
    outcomes = []
    for process in processes:
        out, log = process.communicate(timeout=60)
        outcomes.append(Outcome(process.returncode, out.decode(), log.decode()))
    assert [one.code for one in outcomes] == [0, 0], outcomes[0].log + outcomes[1].log
    assert told(outcomes[0]) == told(outcomes[1])
    assert {key: file.read_bytes() for key, file in reading.stored().items()} == reading.truth()
