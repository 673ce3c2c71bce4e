"""ACTIVATE_VERSION: a target may drop rows that are gone, but only after all was read."""

from __future__ import annotations

import typing as t

import pytest
from taps import catalog_of, every, read
from three import strike

if t.TYPE_CHECKING:
    from three import Config

    from demo.server import Server

VERSIONS: dict[str, t.Any] = {"emit_activate_version_messages": True}


def test_the_target_may_drop_what_is_gone_after_all_was_read(config: Config) -> None:
    outcome = read(
        config(**VERSIONS), catalog=catalog_of("labels", "user_organizations", "clients")
    )
    versions = {one["stream"]: one["version"] for one in outcome.types("ACTIVATE_VERSION")}
    assert versions.keys() == {"labels", "user_organizations"}  # clients are incremental
    order = [one["type"] for one in outcome.messages if one.get("stream") == "labels"]
    assert order == ["SCHEMA", *["RECORD"] * outcome.counts["labels"], "ACTIVATE_VERSION"]
    for message in outcome.types("RECORD"):
        assert message.get("version") == versions.get(message["stream"])


@pytest.mark.parametrize("more", [{"shard": "1/1"}, {"organization_ids": ...}, {"fault": 500}])
def test_nothing_is_dropped_unless_all_was_read(
    qonto: Server, config: Config, more: dict[str, t.Any]
) -> None:
    if "organization_ids" in more:
        more = {"organization_ids": list(every(qonto))}
    if status := more.pop("fault", None):
        strike(qonto, [("labels", next(every(qonto)))], "nonsense", body={"labels": 7})
    outcome = read(config(**VERSIONS, **more), catalog=catalog_of("labels"))
    assert outcome.types("ACTIVATE_VERSION") == []
    assert outcome.code == (1 if status else 0)


def test_a_stream_that_some_organizations_lack_is_never_dropped(
    qonto: Server, config: Config, second: str
) -> None:
    strike(qonto, [("requests", second)], status=403)
    outcome = read(config(**VERSIONS), catalog=catalog_of("requests"))
    assert outcome.rows("requests")
    assert outcome.types("ACTIVATE_VERSION") == []
