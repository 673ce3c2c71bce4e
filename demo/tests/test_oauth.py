"""Consent, tokens and who may ask what."""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests

from demo.server import Server, running
from demo.tests.conftest import Client

if t.TYPE_CHECKING:
    from collections.abc import Iterator

REDIRECT = "http://127.0.0.1:8123/callback"
SCOPE = "offline_access user_organization.read organization.read"


class Browser:
    """What a user and an application do together."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.http = requests.Session()
        self.http.trust_env = False

    def open(self, **changes: str | None) -> requests.Response:
        asked = {
            "client_id": server_client(self.server)["client_id"],
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": SCOPE,
            "state": "a-long-state",
            "identity_type": "user",
            **changes,
        }
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return self.http.get(
            f"{self.server.url}/oauth2/auth?{query}", allow_redirects=False, timeout=10
        )

    def click(self, page: requests.Response, decision: str, ticked: list[str]) -> dict[str, str]:
        """Submit the form of the consent page; what the application gets."""
        fields = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        form = [*fields, *(("organization", one) for one in ticked), ("decision", decision)]
        answer = self.http.post(
            f"{self.server.url}/oauth2/auth", data=form, allow_redirects=False, timeout=10
        )
        return back(answer)

    def token(self, **form: str | None) -> requests.Response:
        filled = {**server_client(self.server), "redirect_uri": REDIRECT, **form}
        return self.http.post(
            f"{self.server.url}/oauth2/token",
            data={name: value for name, value in filled.items() if value is not None},
            timeout=10,
        )

    def refresh(self, token: str) -> requests.Response:
        return self.token(grant_type="refresh_token", refresh_token=token)


def server_client(server: Server) -> dict[str, str]:
    return {
        "client_id": server.options.client_id,
        "client_secret": server.options.client_secret,
    }


def back(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 302, answer.text
    location = answer.headers["Location"]
    assert location.startswith(REDIRECT)
    return dict(parse_qsl(urlsplit(location).query))


@pytest.fixture
def browser(server: Server) -> Iterator[Browser]:
    one = Browser(server)
    yield one
    one.http.close()


def login(browser: Browser, ticked: list[str], **changes: str | None) -> dict[str, t.Any]:
    came = browser.click(browser.open(**changes), "approve", ticked)
    answer = browser.token(grant_type="authorization_code", code=came["code"])
    assert answer.status_code == 200, answer.text
    return t.cast("dict[str, t.Any]", answer.json())


def test_a_user_ticks_organizations_and_the_token_opens_only_those(
    server: Server, browser: Browser
) -> None:
    first, second = server.bank.organizations[:2]
    page = browser.open()
    assert page.status_code == 200
    assert first.name in page.text
    assert 'type="checkbox"' in page.text
    came = browser.click(page, "approve", [second.id])
    assert came["state"] == "a-long-state"
    tokens = browser.token(grant_type="authorization_code", code=came["code"]).json()
    assert tokens["access_token"].startswith("ory_at_")
    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == 3600
    assert set(tokens["scope"].split()) == set(SCOPE.split())
    client = Client(server)
    client.sign(tokens["access_token"])
    server.consent([second.id])
    assert [
        row["id"] for row in client.ask("user_organizations", None).json()["organizations"]
    ] == [second.id]
    assert client.ask("labels", 1).status_code == 200
    assert client.ask("labels", 0).status_code == 403
    client.close()


def test_a_new_consent_changes_the_list_for_the_old_token_too(
    server: Server, browser: Browser
) -> None:
    ids = [one.id for one in server.bank.organizations]
    client = Client(server)
    client.sign(login(browser, ids)["access_token"])
    assert len(client.ask("user_organizations", None).json()["organizations"]) == len(ids)
    login(browser, ids[2:3])
    rows = client.ask("user_organizations", None).json()["organizations"]
    assert [row["id"] for row in rows] == ids[2:3]
    assert client.ask("labels", 0).status_code == 403
    client.close()


def test_a_user_who_denies_sends_access_denied(browser: Browser) -> None:
    came = browser.click(browser.open(), "deny", [])
    assert (came["error"], came["state"]) == ("access_denied", "a-long-state")


def test_a_scope_that_the_application_may_not_use_fails_the_whole_authorization(
    server: Server, browser: Browser
) -> None:
    server.options.allowed_scopes -= {"card.read"}
    came = back(browser.open(scope=SCOPE + " card.read"))
    assert came["error"] == "invalid_scope"
    assert "client is not allowed to request scope 'card.read'" in came["error_description"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"state": None}, "invalid_state"),
        ({"state": "short"}, "invalid_state"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "offline_access organization.read"}, "invalid_scope"),
    ],
)
def test_the_application_is_told_what_is_wrong(
    browser: Browser, change: dict[str, str | None], error: str
) -> None:
    assert back(browser.open(**change))["error"] == error


@pytest.mark.parametrize(
    "change", [{"client_id": "somebody"}, {"redirect_uri": "https://evil.example/callback"}]
)
def test_a_stranger_is_not_redirected(browser: Browser, change: dict[str, str]) -> None:
    answer = browser.open(**change)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_an_application_approved_for_one_flow_can_not_use_the_other() -> None:
    with running(flows=("membership",)) as server:
        browser = Browser(server)
        assert back(browser.open())["error"] == "unauthorized_client"
        assert browser.open(identity_type=None, scope="organization.read").status_code == 200
        browser.http.close()


def test_the_membership_flow_gives_one_organization_without_any_header(
    server: Server, browser: Browser
) -> None:
    ids = [one.id for one in server.bank.organizations]
    page = browser.open(identity_type=None, scope="offline_access organization.read")
    assert 'type="radio"' in page.text
    came = browser.click(page, "approve", [ids[2]])
    tokens = browser.token(grant_type="authorization_code", code=came["code"]).json()
    client = Client(server)
    client.sign(tokens["access_token"])
    assert client.ask("organization", None).json()["organization"]["id"] == ids[2]
    assert client.ask("user_organizations", None).status_code == 403
    client.close()


def test_a_code_works_once_and_for_ten_minutes(server: Server, browser: Browser) -> None:
    ids = [server.bank.organizations[0].id]
    code = browser.click(browser.open(), "approve", ids)["code"]
    assert browser.token(grant_type="authorization_code", code=code).status_code == 200
    again = browser.token(grant_type="authorization_code", code=code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    code = browser.click(browser.open(), "approve", ids)["code"]
    server.clock.advance(601)
    late = browser.token(grant_type="authorization_code", code=code)
    assert late.json()["error"] == "invalid_grant"


def test_a_code_is_bound_to_its_redirect_address_and_verifier(browser: Browser) -> None:
    verifier = "v" * 43
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    ids = [browser.server.bank.organizations[0].id]

    def code() -> str:
        page = browser.open(code_challenge=challenge, code_challenge_method="S256")
        return browser.click(page, "approve", ids)["code"]

    kind = {"grant_type": "authorization_code"}
    assert browser.token(**kind, code=code()).json()["error"] == "invalid_grant"
    other = browser.token(**kind, code=code(), code_verifier=verifier, redirect_uri=REDIRECT + "x")
    assert other.json()["error"] == "invalid_grant"
    assert browser.token(**kind, code=code(), code_verifier=verifier).status_code == 200


def test_a_refresh_token_is_replaced_at_each_use_and_has_a_minute_of_grace(
    server: Server, browser: Browser
) -> None:
    old = server.config()["refresh_token"]
    first = browser.refresh(old).json()
    assert first["refresh_token"] != old
    server.clock.advance(59)
    second = browser.refresh(old)
    assert second.status_code == 200
    assert second.json()["refresh_token"] not in {old, first["refresh_token"]}
    server.clock.advance(2)  # the grace counts from the first use
    late = browser.refresh(old)
    assert late.status_code == 400
    assert set(late.json()) == {"error", "error_description", "error_verbose", "status_code"}
    assert late.json()["error"] == "invalid_grant"
    assert browser.refresh(first["refresh_token"]).status_code == 200


def test_a_refresh_token_dies_after_ninety_days(server: Server, browser: Browser) -> None:
    token = server.config()["refresh_token"]
    server.clock.advance(90 * 86400 + 1)
    assert browser.refresh(token).json()["error"] == "invalid_grant"


def test_an_access_token_lives_for_an_hour(server: Server, client: Client) -> None:
    assert client.ask("labels").status_code == 200
    server.clock.advance(3601)
    answer = client.ask("labels")
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "unauthorized"


def test_lifetimes_can_be_set() -> None:
    with running(access_token_seconds=2, grace_seconds=5) as server:
        client, browser = Client(server), Browser(server)
        server.clock.advance(3)
        assert client.ask("labels").status_code == 401
        token = server.config()["refresh_token"]
        assert browser.refresh(token).json()["expires_in"] == 2
        server.clock.advance(6)
        assert browser.refresh(token).status_code == 400
        client.close()
        browser.http.close()


def test_without_offline_access_there_is_no_refresh_token_and_no_word_of_it(
    browser: Browser,
) -> None:
    ids = [browser.server.bank.organizations[0].id]
    tokens = login(browser, ids, scope="user_organization.read organization.read")
    assert "refresh_token" not in tokens


def test_a_refresh_never_widens_the_scopes(server: Server, browser: Browser) -> None:
    tokens = server.issue(scope=SCOPE)
    widened = browser.token(
        grant_type="refresh_token",
        refresh_token=tokens["refresh_token"],
        scope=SCOPE + " card.read",
    )
    assert set(widened.json()["scope"].split()) == set(SCOPE.split())


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": None}, 400, "invalid_request"),
        ({"refresh_token": "ory_rt_unknown"}, 400, "invalid_grant"),
    ],
)
def test_the_token_endpoint_refuses_in_four_keys(
    browser: Browser, form: dict[str, str | None], status: int, error: str
) -> None:
    answer = browser.token(**{"grant_type": "refresh_token", "refresh_token": "x", **form})
    assert answer.status_code == answer.json()["status_code"] == status
    assert answer.json()["error"] == error


def test_the_token_endpoint_wants_a_form(server: Server) -> None:
    answer = requests.post(f"{server.url}/oauth2/token", json=server.config(), timeout=10)
    assert answer.json()["error"] == "invalid_request"


def test_the_sandbox_shows_html_to_those_without_its_token() -> None:
    with running(staging_token="staging-secret") as server:
        client, browser = Client(server), Browser(server)
        away = client.ask("labels")
        assert away.status_code == 302
        assert "html" in browser.http.get(server.url + away.headers["Location"], timeout=9).text
        token = server.config()["refresh_token"]
        page = browser.refresh(token)
        assert page.headers["Content-Type"].startswith("text/html")
        for http in (client.http, browser.http):
            http.headers["X-Qonto-Staging-Token"] = "staging-secret"
        assert client.ask("labels").status_code == 200
        assert browser.refresh(token).status_code == 200
        client.close()
        browser.http.close()


def test_a_missing_header_and_a_stranger_s_organization_are_403(client: Client) -> None:
    assert client.ask("labels", None).status_code == 403
    client.http.headers["X-Qonto-Organization-Id"] = "not-an-organization"
    assert client.ask("labels", None).status_code == 403


def test_a_missing_scope_is_403_and_says_so(server: Server) -> None:
    client = Client(server, scope=SCOPE)
    answer = client.ask("cards")
    assert answer.status_code == 403
    assert "missing required oauth scope" in answer.json()["errors"][0]["detail"]
    assert client.ask("labels").status_code == 200
    client.close()


def test_an_api_key_opens_one_organization_but_not_what_is_for_oauth_alone(
    server: Server,
) -> None:
    key = server.api_key(server.bank.organizations[1].id)
    headers = {"Authorization": f"{key['api_key_login']}:{key['api_key_secret']}"}

    def ask(path: str, **more: str) -> requests.Response:
        return requests.get(f"{server.url}/v2/{path}", headers={**headers, **more}, timeout=10)

    assert ask("organization").json()["organization"]["slug"] == key["api_key_login"]
    refused = ask("terminals")
    assert refused.status_code == 401
    assert refused.json()["errors"][0]["detail"] == "OAuth2 authentication is required here"
    assert ask("user_organizations").status_code == 401
    assert ask("labels", Authorization=key["api_key_login"] + ":wrong").status_code == 401


def test_what_a_plan_or_feature_lacks_is_403_404_or_410(client: Client) -> None:
    gated = 1
    assert client.ask("requests", gated).status_code == 403
    assert client.ask("reminders", gated).status_code == 403
    assert client.ask("sepa/direct_debit_mandates", gated).status_code == 403
    assert client.ask("payment_links", gated).status_code == 404
    assert client.ask("external_transfers", gated).status_code == 410
    client.server.options.retired = frozenset({"/v2/beneficiaries"})
    assert client.ask("beneficiaries").status_code == 410
    for path in ("requests", "payment_links", "external_transfers"):
        assert client.ask(path).status_code == 200


def test_an_unknown_route_is_plain_text_from_the_gateway(client: Client) -> None:
    for path in ("nonsense", "labels/1/2/3", "oauth2/token"):
        answer = client.ask(path)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert "x-tyk-trace-id" in answer.headers
        assert "x-request-id" not in answer.headers
    known = client.ask("labels/00000000-0000-0000-0000-000000000000")
    assert known.status_code == 404
    assert known.json()["errors"][0]["code"] == "not_found"
    assert "x-request-id" in known.headers
