"""What the token store says of the session, for people and for monitors. Asks nobody else."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone

from tap_qonto.auth.authenticator import scopes_of
from tap_qonto.auth.refresh import (
    DAY,
    GRACE,
    LOGIN,
    REFRESH_LIFETIME,
    WARN_BEFORE,
    moment,
    no_session,
    span,
)
from tap_qonto.auth.token_store import fingerprint

if t.TYPE_CHECKING:
    from tap_qonto.auth.token_store import Session, Stored
    from tap_qonto.settings import Settings

EXIT_CODES = {"alive": 0, "unreadable": 1, "login": 3, "attention": 4}


@dataclass(frozen=True)
class Status:
    """The verdict (a key of `EXIT_CODES`), the sentence behind it, and the facts."""

    verdict: str
    sentence: str
    facts: dict[str, t.Any]

    def __str__(self) -> str:
        """Lay it out for people."""
        lines = [self.sentence, ""]
        for name, value in self.facts.items():
            if name == "organizations":
                shown = ", ".join(f"{one['name']} ({one['role'] or '-'})" for one in value or ())
                shown = shown or "not known here: `tap-qonto-auth organizations` asks Qonto"
            elif name == "scopes":
                shown = " ".join(value) if value else "not known: the server never said"
            elif isinstance(value, float):
                shown = moment(value)
            else:
                shown = "not known" if value is None else str(value)
            lines.append(f"  {name.replace('_', ' '):22} {shown}")
        return "\n".join(lines)

    @property
    def json(self) -> dict[str, t.Any]:
        """The same for programs; moments in RFC 3339, UTC."""
        facts = {
            name: datetime.fromtimestamp(value, timezone.utc).isoformat(timespec="seconds")
            if isinstance(value, float)
            else value
            for name, value in self.facts.items()
        }
        return {"status": self.verdict, "message": self.sentence, **facts}


def status_of(settings: Settings, stored: Stored, where: str) -> Status:
    """Judge what the store holds for this client."""
    facts: dict[str, t.Any] = {
        "client_id": settings.client_id,
        "environment": settings.environment,
        "token_store": where,
    }
    session = stored.session
    seed = settings.refresh_token
    if seed and fingerprint(seed) not in stored.seeds:
        return Status(
            "attention",
            f"The next run begins a new session from the configured refresh_token "
            f"({fingerprint(seed)[:6]}).",
            facts,
        )
    if stored.unreadable:
        return Status(
            "unreadable",
            f"The session {stored.unreadable}: set client_secret to the one it was made with, or "
            f"{LOGIN}.",
            facts,
        )
    if session is None:
        return Status("login", f"{no_session(settings, where)}: {LOGIN}.", facts)
    ends = session.refreshed_at + REFRESH_LIFETIME
    scopes = scopes_of(session.scope) or None
    facts |= {
        "flow": session.notes.get("flow"),
        "scopes": scopes,
        "consented_at": session.consented_at,
        "refreshed_at": session.refreshed_at,
        "access_token_ends_at": session.expires_at,
        "ends_at": ends,
        "days_left": max(round((ends - stored.now) / DAY), 0),
        "organizations": session.notes.get("organizations"),
    }
    return Status(*_verdict(session, stored, ends - stored.now), facts)


def _verdict(session: Session, stored: Stored, left: float) -> tuple[str, str]:
    now = stored.now
    if stored.refused_at:
        return "login", f"Qonto refused the session {span(now - stored.refused_at)} ago: {LOGIN}."
    if left <= 0:
        idle = span(now - session.refreshed_at)
        return "login", f"The session was last refreshed {idle} ago, and 90 days are all: {LOGIN}."
    if stored.intent and now - stored.intent.at > GRACE:
        return "attention", (
            f"A refresh that began {span(now - stored.intent.at)} ago "
            f"({moment(stored.intent.at)}) was interrupted: the next run, or `tap-qonto-auth "
            "refresh`, shows whether the session survived."
        )
    if left < WARN_BEFORE:
        return "attention", (
            f"The session ends in {round(left / DAY)} days unless it is refreshed: run the tap, or "
            "`tap-qonto-auth refresh`."
        )
    days = round(left / DAY)
    return "alive", f"The session is alive; without a refresh it would end in {days} days."
