"""What requests need to know of the session that authorizes them; sessions are in `auth`."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import requests


class HasFlow(t.Protocol):
    """What is known of the session."""

    flow: str
    """`user`, `membership` or `api_key`."""


class Authenticator(HasFlow, t.Protocol):
    """Authorizes requests, from any thread."""

    def __call__(self, request: requests.PreparedRequest, /) -> requests.PreparedRequest:
        """Set the header."""

    def refresh(self, rejected: str) -> None:
        """After a 401: replace the token, given the `Authorization` that was refused."""
