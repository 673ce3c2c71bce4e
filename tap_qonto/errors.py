"""What can go wrong, as a tree. Every message may be printed as it is.

    QontoError                 exit code 1: this run is incomplete, the next one reads it again
    ├── SettingsError          a setting is missing or wrong; nothing was requested
    │   └── ExtraMissing       it needs packages of an extra that is not installed
    ├── StoreError             the token store can't be opened, read or written
    ├── LoginRequired          exit code 3: only a person at the consent page can repair it
    ├── RequestDenied          Qonto refuses one stream of one organization (403, 404, 410)
    ├── RequestRejected        Qonto does not accept the request itself (400, 422)
    ├── RequestFailed          the API did not answer properly, after all retries
    ├── OutputLost             standard output can't be written
    └── IncompleteRead         streams failed, others were read: raised at the end of a run

No message holds a token, a secret, a response body or a query string.
"""

from __future__ import annotations

import difflib
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable


class QontoError(Exception):
    """Base of all errors raised on purpose; the message tells what repairs it."""

    exit_code = 1


class SettingsError(QontoError):
    """One or more settings are missing or wrong. `args[0]` joins all of `problems`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class ExtraMissing(SettingsError):  # noqa: N818
    """A setting needs packages that come with an extra of this one; `why` says which setting."""

    def __init__(self, why: str, extra: str) -> None:
        clone = f"pip install -e '.[{extra}]' in the clone of tap-qonto"
        meltano = f"[{extra}] behind its name or path in Meltano's pip_url"
        super().__init__([f"{why}. Add the extra {extra}: {clone}, or {meltano}."])


class StoreError(QontoError):
    """The token store can't be opened, read or written."""


class LoginRequired(QontoError):  # noqa: N818 - says what to do, like the SDK's `AbortedSync…`
    """The session is gone (refused, expired, revoked or never made): a person has to log in."""

    exit_code = 3


class RequestDenied(QontoError):  # noqa: N818
    """Qonto refuses a stream of an organization: scope, role, plan, feature or consent.

    `status` is 403, 404 or 410 (or 401 where an endpoint does not take API keys); `why` is the
    reason alone, the same for all streams and organizations that share it.
    """

    lacks_scope = False
    """Does Qonto say that the session lacks a scope? Then it does so for every organization."""

    def __init__(self, where: str, why: str, status: int, trace: str = "") -> None:
        super().__init__(f"{where}: {why} ({status}{trace}).")
        self.why = f"{why} ({status})"
        self.status = status


class RequestRejected(QontoError):  # noqa: N818
    """Qonto does not accept a parameter (400, 422): never repeated as it is."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class RequestFailed(QontoError):  # noqa: N818
    """No usable response: 429, 5xx, a cut connection or a broken body, after all retries.

    `status` is 401 where one endpoint refuses a token that others accept.
    """

    status: int | None = None


class OutputLost(QontoError):  # noqa: N818 - nothing can be read into a target that is gone
    """Standard output can't be written; the message says why."""

    def __init__(self, error: BaseException | None) -> None:
        if isinstance(error, BrokenPipeError):
            why = "The target ended before the tap did: see its own messages."
        elif isinstance(error, OSError):
            why = f"The output can't be written: {error.strerror}."
        elif isinstance(error, ValueError):
            why = "There is no standard output, or it was closed: nothing can be written."
        else:
            why = "A line of the output was not written whole: nothing may follow it."
        super().__init__(why)


class IncompleteRead(QontoError):  # noqa: N818
    """Streams failed, the others were read; the message is the closing table."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(["Not everything was read:", *lines]))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """End a sentence about an unknown name with the known one that is most like it, if any is."""
    folded = {one.lower(): one for one in known}
    like = difflib.get_close_matches(name.lower(), folded, 1)
    return f": did you mean {folded[like[0]]}?" if like else "."
