"""A token server on a real socket, stricter than Qonto's: for kills, races and faults.

Refresh tokens rotate; a used one works for `grace` more seconds, but then only the newest pair
stays alive (so a refresh that nobody should have made shows up as a lost session), and a use after
the grace ends the whole session, as Ory Hydra does. Every secret holds `MARK`, so that a scan for
this one word finds any leak.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import threading
import time
import typing as t
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

if t.TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "s3cr3t"
CLIENT_ID = "client-4711"
CLIENT_SECRET = f"{MARK}-of-the-client-{'x' * 20}"
SCOPE = "offline_access user_organization.read organization.read"
ORGANIZATIONS = [
    {"id": f"0000000{n}-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "name": name, "membership_role": role}
    for n, (name, role) in enumerate([("Atelier Brindille", "owner"), ("Moulin <Bio>", "admin")])
]


BEFORE: dict[str, tuple[t.Any, ...]] = {  # faults that leave the token unused
    "503 before": (503, {}),
    "429": (429, {}, {"Retry-After": "1"}),
    "html": (200, None, {"Content-Type": "text/html"}, b"<p>Sign in</p>"),
    "redirect": (307, {}, {"Location": "/elsewhere"}),
}


@dataclass
class Token:
    session: str
    used_at: float | None = None
    dead: bool = False


@dataclass
class TokenServer:
    """The handle of a test. `faults` are taken one per token request, in order; see `_token`."""

    url: str = ""
    lifetime: float = 3600
    grace: float = 60
    scope: str | None = SCOPE
    delay: tuple[float, float] = (0, 0)  # seconds before the token is used, and before the answer
    faults: list[str] = field(default_factory=list)
    requests: list[dict[str, t.Any]] = field(default_factory=list)
    organizations: list[dict[str, str]] | None = field(default_factory=lambda: [*ORGANIZATIONS])
    offset: float = 0  # seconds that the server's clock is ahead
    client_secret: str = CLIENT_SECRET
    on_token: t.Callable[[], object] | None = (
        None  # runs after the token is used, before the answer
    )
    refresh_tokens: dict[str, Token] = field(default_factory=dict)
    access_tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    consent: dict[str, str] = field(default_factory=dict)  # e.g. {"error": "access_denied"}
    is_membership: bool = False  # the latest consent was for one organization
    lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self) -> float:
        return time.time() + self.offset

    def seed(self) -> str:
        """Make a session; returns its refresh token."""
        return str(self._pair(secrets.token_hex(4))["refresh_token"])

    @property
    def refreshes(self) -> int:
        return sum(r["form"].get("grant_type") == "refresh_token" for r in self.requests)

    def config(self, **more: t.Any) -> dict[str, t.Any]:
        return {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "oauth_url": self.url,
            "api_url": self.url,
            **more,
        }

    def _pair(self, session: str) -> dict[str, t.Any]:
        access = f"ory_at_{MARK}_{secrets.token_urlsafe(24)}"
        refresh = f"ory_rt_{MARK}_{secrets.token_urlsafe(24)}"
        with self.lock:
            self.access_tokens[access] = session, self.now() + self.lifetime
            self.refresh_tokens[refresh] = Token(session)
        answer = {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": self.lifetime,
            "token_type": "bearer",
        }
        return answer | ({"scope": self.scope} if self.scope else {})

    def revoke(self, session: str) -> None:
        with self.lock:
            for token in self.refresh_tokens.values():
                token.dead = token.dead or token.session == session
            self.access_tokens = {
                access: value for access, value in self.access_tokens.items() if value[0] != session
            }

    def spend(self, refresh: str) -> dict[str, t.Any]:
        with self.lock:
            token = self.refresh_tokens.get(refresh)
            if token is None or token.dead:
                return {"error": "invalid_grant", "error_description": refresh}
            if token.used_at is not None and self.now() - token.used_at > self.grace:
                self.revoke(token.session)
                return {"error": "invalid_grant", "error_description": refresh}
            used_at = token.used_at
            self.revoke(token.session)  # only the newest pair lives on, and the used token's grace
            token.dead = False
            token.used_at = self.now() if used_at is None else used_at
            return self._pair(token.session)

    def exchange(self, form: dict[str, str]) -> dict[str, t.Any]:
        with self.lock:
            code = self.codes.pop(form.get("code", ""), None)
        if code is None or code["redirect_uri"] != form.get("redirect_uri"):
            return {"error": "invalid_grant"}
        answer = self._pair(secrets.token_hex(4))
        if "offline_access" not in code["scope"].split():
            del answer["refresh_token"]
        return answer | {"scope": code["scope"]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    book: TokenServer

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        entry = {"form": form, "headers": dict(self.headers), "at": self.book.now(), "step": "in"}
        self.book.requests.append(entry)
        if self.path == "/oauth2/revoke":
            token = self.book.refresh_tokens.get(form["token"])
            if token:
                self.book.revoke(token.session)
            self._answer(200, {})
        elif self.path == "/oauth2/token":
            self._token(form, entry)
        else:
            self._answer(404, {})

    def _token(self, form: dict[str, str], entry: dict[str, t.Any]) -> None:
        book = self.book
        fault = book.faults.pop(0) if book.faults else ""
        time.sleep(book.delay[0])
        if fault in BEFORE:
            self._answer(*BEFORE[fault])
            return
        if fault == "cut before":
            self._cut()
            return
        refused = self._misconfigured(form)
        if refused:
            entry["step"] = "refused"  # as when a client dies between head and body
            self._answer(*refused)
            return
        refresh = form.get("grant_type") == "refresh_token"
        answer = book.spend(form["refresh_token"]) if refresh else book.exchange(form)
        entry["step"] = "used"
        if book.on_token:
            book.on_token()
        time.sleep(book.delay[1])
        if fault == "cut after":
            self._cut()
        elif fault == "503 after":
            self._answer(503, {})
        elif fault == "truncated":
            self._answer(200, None, {"Content-Length": "500"}, json.dumps(answer).encode())
        else:
            self._answer(400 if "error" in answer else 200, answer)
            entry["step"] = "answered"

    def _misconfigured(self, form: dict[str, str]) -> tuple[int, dict[str, str]] | None:
        if (
            self.headers["Content-Type"] != "application/x-www-form-urlencoded"
            or "Authorization" in self.headers
        ):
            return 400, {"error": "invalid_request"}
        credentials = form.get("client_id"), form.get("client_secret")
        if credentials != (CLIENT_ID, self.book.client_secret):
            return 401, {"error": "invalid_client", "error_description": str(form)}
        return None

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/oauth2/auth":
            self._consent(query)
        elif url.path in {"/v2/user_organizations", "/v2/organization"}:
            access = self.headers.get("Authorization", "").removeprefix("Bearer ")
            _, ends = self.book.access_tokens.get(access, ("", 0.0))
            if ends <= self.book.now():
                self._answer(401, {"errors": [{"code": "unauthorized"}]})
            elif url.path == "/v2/organization":
                self._answer(200, {"organization": (self.book.organizations or [])[0]})
            elif self.book.is_membership:
                self._answer(403, {"errors": [{"code": "forbidden"}]})
            else:
                self._answer(200, {"organizations": self.book.organizations})
        else:
            self._answer(404, {})

    def _consent(self, query: dict[str, str]) -> None:
        if self.book.consent:
            answer = self.book.consent
        else:
            code = f"ory_ac_{MARK}_{secrets.token_urlsafe(12)}"
            self.book.codes[code] = query
            self.book.is_membership = query.get("identity_type") != "user"
            answer = {"code": code}
        target = f"{query['redirect_uri']}?{urlencode(answer | {'state': query['state']})}"
        self._answer(302, {}, {"Location": target})

    def _cut(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _answer(
        self,
        status: int,
        body: t.Any,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> None:
        data = json.dumps(body).encode() if raw is None else raw
        every = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        with contextlib.suppress(OSError):  # the client was killed
            self.send_response(status)
            for name, value in (every | (headers or {})).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
        if raw is not None:
            self._cut()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that were killed."""


@contextlib.contextmanager
def token_server() -> Iterator[TokenServer]:
    book = TokenServer()
    handler = type("BoundHandler", (Handler,), {"book": book})
    server = Server(("127.0.0.1", 0), handler)
    book.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield book
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
