"""Which organizations a run reads: asked for once, chosen by settings, watched while it goes on."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_qonto.api import organizations
from tap_qonto.api.organizations import Organizations, shard_of
from tap_qonto.api.responses import Request, Response
from tap_qonto.errors import RequestDenied, RequestFailed, SettingsError
from tap_qonto.settings import Settings

if t.TYPE_CHECKING:
    from uuid import UUID

IDS = ("a", "b", "c")


class Qonto:
    """Answers, and counts what it was asked for."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str | None]] = Counter()
        self.consent: t.Any = {"organizations": [{"id": one, "name": one} for one in IDS]}
        self.body: t.Any = {"organization": {"id": "a", "bank_accounts": [{"id": "1"}]}}

    def send(self, request: Request) -> Response:
        self.asked[request.path, request.organization_id] += 1
        found = self.consent if request.path == "/v2/user_organizations" else self.body
        if isinstance(found, Exception):
            raise found
        return Response(request, json.dumps(found).encode(), None)


@pytest.fixture
def qonto() -> Qonto:
    return Qonto()


def of(qonto: Qonto, flow: str = "user", **more: t.Any) -> Organizations:
    settings = Settings.from_config({"client_id": "an-id", "client_secret": "a-secret", **more})
    return Organizations(settings, qonto.send, SimpleNamespace(flow=flow))


def denied(status: int = 403) -> RequestDenied:
    return RequestDenied("labels", "why", status)


def test_each_thing_is_asked_for_once_from_any_number_of_threads(qonto: Qonto) -> None:
    found = of(qonto)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(50):
            pool.submit(found.ids)
            pool.submit(found.accounts, "a")
    assert found.ids() == list(IDS)
    assert set(qonto.asked.values()) == {1}


def test_an_error_is_the_same_for_all_who_ask(qonto: Qonto) -> None:
    qonto.body = denied()
    found = of(qonto)
    for _ in range(3):
        with pytest.raises(RequestDenied):
            found.accounts("a")
    assert qonto.asked["/v2/organization", "a"] == 1


def test_a_list_that_names_one_twice_reads_it_once(qonto: Qonto) -> None:
    qonto.consent["organizations"].append({"id": "a"})
    assert of(qonto).ids() == list(IDS)


@pytest.mark.parametrize(
    "body", [None, {}, [], {"organizations": None}, {"organizations": [{}]}, 7]
)
def test_a_list_of_another_shape_is_an_error(qonto: Qonto, body: t.Any) -> None:
    qonto.consent = body
    if body == []:
        assert of(qonto).ids() == []
        return
    with pytest.raises(RequestFailed, match="not the list it should be"):
        of(qonto).ids()


@pytest.mark.parametrize(
    "body", [None, [], {"organization": {}}, {"organization": {"bank_accounts": None}}, {"id": "a"}]
)
def test_accounts_of_another_shape_are_an_error_and_not_none(qonto: Qonto, body: t.Any) -> None:
    qonto.body = body
    with pytest.raises(RequestFailed):
        of(qonto).accounts("a")


def test_a_body_without_envelope_is_taken(qonto: Qonto) -> None:
    qonto.body = qonto.body["organization"]
    assert of(qonto).accounts("a") == [{"id": "1"}]


def test_settings_choose_in_the_order_of_the_consent(qonto: Qonto) -> None:
    assert of(qonto, organization_ids=["c", "a"]).ids() == ["a", "c"]


def test_an_id_outside_the_consent_is_named(qonto: Qonto) -> None:
    with pytest.raises(SettingsError, match="names x, z, which the user has not consented to"):
        of(qonto, organization_ids=["z", "a", "x"]).ids()


def test_one_organization_is_made_into_the_same_row(qonto: Qonto) -> None:
    qonto.body["organization"] |= {"name": "Acme", "legal_name": "Acme SAS", "slug": "acme"}
    (row,) = of(qonto, flow="api_key").rows()
    assert row == {
        "id": "a",
        "name": "Acme",
        "legal_name": "Acme SAS",
        "legal_number": None,
        "legal_country": None,
        "membership_role": None,
    }
    assert ("/v2/user_organizations", None) not in qonto.asked


def test_who_is_refused_the_list_but_not_one_organization_is_a_membership(qonto: Qonto) -> None:
    qonto.consent = denied()
    session = SimpleNamespace(flow="user")
    settings = Settings.from_config({"client_id": "an-id", "client_secret": "a-secret"})
    found = Organizations(settings, qonto.send, session)
    assert found.ids() == ["a"]
    assert session.flow == "membership"


def test_who_is_refused_both_is_told_of_the_list(qonto: Qonto) -> None:
    qonto.consent, qonto.body = denied(), denied()
    with pytest.raises(RequestDenied, match="why"):
        of(qonto).ids()
    qonto.consent = RequestFailed("broken")  # says nothing of the kind of session
    qonto.body = {"organization": {"id": "a"}}
    with pytest.raises(RequestFailed, match="broken"):
        of(qonto).ids()


def test_an_organization_with_an_odd_id_is_reported_and_the_others_are_read(qonto: Qonto) -> None:
    told: list[tuple[str | None, str]] = []
    odd = [{"id": "a b", "name": "Odd"}, {"id": "x\ny"}, {"id": None}, "c", {"id": 42}, {"id": "é"}]
    qonto.consent["organizations"] += odd
    settings = Settings.from_config({"client_id": "an-id", "client_secret": "a-secret"})
    session = SimpleNamespace(flow="user")
    found = Organizations(settings, qonto.send, session, failed=lambda *one: told.append(one))
    assert found.ids() == [*IDS, "42"]
    assert len(told) == 5
    assert told[0] == (None, "the organization Odd came without an id that fits a header: not read")


def test_a_list_in_pages_is_read_to_its_end(qonto: Qonto) -> None:
    pages = [["a", "b"], ["c"], ["c"]]

    def send(request: Request) -> Response:
        number = int(dict(request.params).get("page", "1"))
        rows = [{"id": one} for one in pages[number - 1]]
        body = {"organizations": rows, "meta": {"next_page": number + 1}}  # and never ends
        return Response(request, json.dumps(body).encode(), None)

    qonto.send = send  # type: ignore[method-assign]
    assert of(qonto).ids() == ["a", "b", "c"]


@pytest.mark.parametrize(
    "listed", [[{"iban": "1"}, {"iban": "2"}], [{"id": 7}, {"iban": "2"}], None]
)
def test_accounts_that_come_without_id_are_those_of_the_list_of_accounts(
    qonto: Qonto, listed: t.Any
) -> None:
    def send(request: Request) -> Response:
        qonto.asked[request.path, request.organization_id] += 1
        body: t.Any = {"organization": {"id": "a", "bank_accounts": listed}}
        if request.path == "/v2/bank_accounts":
            body = {"bank_accounts": [{"id": 7, "iban": "1"}, {"id": "8", "iban": "2"}]}
        return Response(request, json.dumps(body).encode(), None)

    qonto.send = send  # type: ignore[method-assign]
    found = of(qonto)
    for _ in range(2):
        assert [one["id"] for one in found.accounts("a")] == ["7", "8"]
    assert qonto.asked["/v2/bank_accounts", "a"] == 1


# -- shards ------------------------------------------------------------------------------------


@given(st.lists(st.uuids(), unique=True), st.integers(1, 20))
def test_shards_are_disjoint_and_complete(ids: list[UUID], count: int) -> None:
    shards = Counter(shard_of(str(one), count) for one in ids)
    assert set(shards) <= set(range(1, count + 1))
    assert shards.total() == len(ids)


def test_shards_stay_where_they_are() -> None:
    found = [shard_of(f"organization {number}", 4) for number in range(12)]
    assert found == [1, 4, 2, 1, 3, 1, 2, 4, 3, 4, 4, 4]  # for ever: bookmarks hang on it


def test_shards_are_about_even() -> None:
    sizes = Counter(shard_of(f"organization {number}", 8) for number in range(8000))
    assert all(900 < size < 1100 for size in sizes.values())


# -- a consent that ends in mid-run ------------------------------------------------------------


def test_some_refusals_in_a_row_make_it_look_at_the_consent_again(qonto: Qonto) -> None:
    found = of(qonto)
    found.ids()
    qonto.consent = {"organizations": [{"id": "a"}]}
    for _ in range(2):
        found.refused(denied(), "b")
    assert not found.is_revoked("b")
    assert qonto.asked["/v2/user_organizations", None] == 1
    found.refused(denied(), "b")
    assert found.is_revoked("b")
    assert qonto.asked["/v2/user_organizations", None] == 2
    assert not found.is_revoked("a")


def test_an_answer_between_refusals_ends_the_suspicion(qonto: Qonto) -> None:
    found = of(qonto)
    found.ids()
    for _ in range(5):
        found.refused(denied(), "b")
        found.refused(denied(), "b")
        found.answered("b")
    assert not found.is_revoked("b")
    assert qonto.asked["/v2/user_organizations", None] == 1


def test_what_is_switched_off_is_no_suspicion(qonto: Qonto) -> None:
    found = of(qonto)
    found.ids()
    for _ in range(9):
        found.refused(denied(404), "b")
    assert not found.is_revoked("b")
    assert qonto.asked["/v2/user_organizations", None] == 1


def test_it_looks_at_most_once_a_minute(qonto: Qonto, monkeypatch: pytest.MonkeyPatch) -> None:
    found = of(qonto)
    found.ids()
    for one in IDS:
        for _ in range(3):
            found.refused(denied(), one)
    assert not any(found.is_revoked(one) for one in IDS * 5)
    assert qonto.asked["/v2/user_organizations", None] == 2
    monkeypatch.setattr(organizations, "LOOK_AGAIN", 0.0)
    qonto.consent = {"organizations": []}
    assert found.is_revoked("a")


def test_a_consent_that_can_not_be_looked_at_is_taken_for_unchanged(qonto: Qonto) -> None:
    found = of(qonto)
    found.ids()
    qonto.consent = RequestFailed("no answer")
    for _ in range(3):
        found.refused(denied(), "b")
    assert not found.is_revoked("b")


def test_a_membership_has_no_list_to_look_at(qonto: Qonto) -> None:
    found = of(qonto, flow="membership")
    found.ids()
    for _ in range(9):
        found.refused(denied(), "a")
    assert not found.is_revoked("a")


def test_those_who_left_are_told_whatever_the_settings_choose(qonto: Qonto) -> None:
    found = of(qonto, organization_ids=["a"])
    found.ids()
    assert found.left_consent(["c", "x", "b"]) == ["x"]
