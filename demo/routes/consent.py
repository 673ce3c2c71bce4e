"""OAuth over HTTP: the page where a user ticks organizations, and the token endpoint."""

from __future__ import annotations

import typing as t
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from demo.routes.oauth import OAuthError, Sessions

if t.TYPE_CHECKING:
    from starlette.requests import Request

    from demo.data.bank import Bank
    from demo.options import Options
    from demo.state import Received

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; background: #f4f2ee; color: #1d1d1b; }
main { max-width: 30rem; margin: 8vh auto; padding: 2rem 2.5rem; background: #fff;
       border-radius: 1rem; box-shadow: 0 1px 12px #0002; }
h1 { font-size: 1.35rem; line-height: 1.25 } small, li { color: #5c5c58 }
label { display: block; padding: .5rem .75rem; margin: .35rem 0; border: 1px solid #dcd9d2;
        border-radius: .6rem; cursor: pointer } label small { float: right }
button { font: inherit; padding: .6rem 1.4rem; border-radius: .6rem; border: 1px solid #1d1d1b;
         background: #fff; cursor: pointer; margin: 1rem .5rem 0 0 }
button[value=approve] { background: #1d1d1b; color: #fff } ul { padding-left: 1.2rem }
"""
MEANINGS = {
    "offline_access": "stay connected when you are away",
    "user_organization.read": "see the list of your organizations",
    "organization.read": "read accounts, transactions, members and transfers",
    "membership.read": "read your own membership",
    "cash_flow_category.read": "read cash flow categories",
    "client_invoices.read": "read client invoices, quotes and credit notes",
    "supplier_invoice.read": "read supplier invoices and suppliers",
    "sepa_direct_debit.read": "read direct debit mandates and collections",
    "einvoicing.read": "read e-invoicing settings",
    "webhook": "manage webhooks",
}


def meaning(scope: str) -> str:
    """What `scope` allows, for a human."""
    return MEANINGS.get(scope) or f"read {scope.partition('.')[0].replace('_', ' ')}s"


def page(title: str, content: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style><main><h1>{escape(title)}</h1>{content}</main></html>",
        status,
    )


class Consent:
    """`GET` and `POST /oauth2/auth`, `POST /oauth2/token`."""

    def __init__(self, options: Options, bank: Bank, sessions: Sessions) -> None:
        self.options, self.bank, self.sessions = options, bank, sessions

    async def authorize(self, request: Request, _: Received) -> Response:
        """The consent page, or on `POST` what follows from the user's click."""
        form: list[tuple[str, str]] = []
        if request.method == "POST":
            form = parse_qsl((await request.body()).decode(), keep_blank_values=True)
        asked = dict(request.query_params)
        asked.update({name: value for name, value in form if name != "organization"})
        refusal = self._refuse(asked)
        if refusal is not None:
            return refusal
        if request.method == "GET":
            return self._ask(asked)
        ticked = [value for name, value in form if name == "organization"]
        if asked.get("decision") != "approve" or not ticked:
            return back(asked, error="access_denied", error_description="The user denied access")
        flow = flow_of(asked)
        grant = self.sessions.grant(
            asked["scope"],
            flow,
            [one for one in ticked if one in self.bank.by_id][: None if flow == "user" else 1],
        )
        code = self.sessions.code(grant, asked["redirect_uri"], asked.get("code_challenge"))
        return back(asked, code=code, scope=asked["scope"])

    def _refuse(self, asked: t.Mapping[str, str]) -> Response | None:
        """Errors before the user is asked. Where the client can't be trusted they stay here."""
        if asked.get("client_id") != self.options.client_id:
            return page("Unknown application", "<p>The client_id is not known.</p>", 400)
        uri = asked.get("redirect_uri", "")
        if not self._registered(uri):
            return page(
                "Wrong redirect address",
                "<p>The redirect_uri is not one of those registered for this application.</p>",
                400,
            )
        scopes = asked.get("scope", "").split()
        flow = flow_of(asked)
        problem: tuple[str, str] | None = None
        if asked.get("response_type") != "code":
            problem = "unsupported_response_type", "The response_type must be 'code'"
        elif len(asked.get("state", "")) < 8:
            problem = (
                "invalid_state",
                "The state is missing or does not have enough characters (8)",
            )
        elif flow not in self.options.flows:
            problem = "unauthorized_client", f"The client is not approved for the {flow} flow"
        elif flow == "user" and "user_organization.read" not in scopes:
            problem = "invalid_scope", "The user flow needs the scope 'user_organization.read'"
        else:
            denied = [one for one in scopes if one not in self.options.allowed_scopes]
            if denied:  # Q9
                problem = (
                    "invalid_scope",
                    f"The OAuth 2.0 client is not allowed to request scope '{denied[0]}'.",
                )
        if problem is None:
            return None
        return back(asked, error=problem[0], error_description=problem[1])

    def _registered(self, uri: str) -> bool:
        if self.options.redirect_uris:
            return uri in self.options.redirect_uris
        parts = urlsplit(uri)
        return parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}

    def _ask(self, asked: t.Mapping[str, str]) -> Response:
        user = flow_of(asked) == "user"
        kind = "checkbox" if user else "radio"
        hidden = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in asked.items()
        )
        known = self.sessions.consented
        ticked = set(known if user else known[:1])
        choices = "".join(
            f'<label><input type="{kind}" name="organization" value="{one.id}"'
            f"{' checked' if one.id in ticked else ''}> {escape(one.name)}"
            f" <small>{one.country} · {one.role}</small></label>"
            for one in self.bank.organizations
        )
        wishes = "".join(f"<li>{escape(meaning(one))}</li>" for one in asked["scope"].split())
        return page(
            f"{self.options.client_id} would like to connect to your Qonto",
            f'<form method="post" action="/oauth2/auth">{hidden}<p>It will be able to</p>'
            f"<ul>{wishes}</ul><p>of {'these organizations' if user else 'this organization'}:</p>"
            f'{choices}<button name="decision" value="approve">Connect</button>'
            '<button name="decision" value="deny">Deny</button></form>'
            "<p><small>This is the demo server: nobody's real bank.</small></p>",
        )

    async def token(self, request: Request, _: Received) -> Response:
        if self.options.staging_token and not staged(request, self.options):
            return sign_in()  # Q13
        headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        try:
            answer = self.sessions.exchange(await _form(request))
        except OAuthError as error:
            return JSONResponse(error.body, error.status, headers)
        return JSONResponse(answer, headers=headers)


async def _form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise OAuthError(
            "invalid_request", "The POST body must be encoded as application/x-www-form-urlencoded"
        )
    body = await request.body()
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def flow_of(asked: t.Mapping[str, str]) -> str:
    return "user" if asked.get("identity_type") == "user" else "membership"


def back(asked: t.Mapping[str, str], **facts: str) -> Response:
    """To the application, with its `state` untouched."""
    query = urlencode({**facts, "state": asked.get("state", "")})
    joint = "&" if "?" in asked["redirect_uri"] else "?"
    return RedirectResponse(f"{asked['redirect_uri']}{joint}{query}", 302)


def staged(request: Request, options: Options) -> bool:
    return request.headers.get("x-qonto-staging-token") == options.staging_token


def sign_in() -> HTMLResponse:
    """What the sandbox shows to those who come without its token."""
    return page("Sign in to the sandbox", "<p>X-Qonto-Staging-Token is missing.</p>")
