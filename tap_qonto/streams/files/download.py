"""Downloads: a link becomes bytes that are whole, of the type and length that were promised.

A link comes out of a row, so it may lead anywhere: it is followed only over https, without
`Authorization`, and not into the network that the tap stands in. What is checked is the address
that the connection really has. Both rules follow the API: a test server on http and localhost
may send links to http and localhost.

A link is a secret while it lives: it is in no message.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import re
import socket
import tempfile
import threading
import time
import typing as t
from concurrent.futures import Future
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import backoff
import requests
import requests.adapters
import urllib3.exceptions
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from tap_qonto.api.rate_limit import RateLimiterClosed
from tap_qonto.errors import QontoError

if t.TYPE_CHECKING:
    from collections.abc import Callable


CHUNK = 2**16  # bytes
IN_MEMORY = 2**20  # bytes of a download; what is larger goes to a temporary file
AT_A_TIME = 16  # 8 can't be ten times as fast as one after the other
REDIRECTS = 3
STEP = 0.2  # seconds between looks at whether the run ends
PAGES = {"text/html", "application/json"}  # what comes in the place of a file
XML = {"application/xml", "text/xml"}  # the same, or an electronic invoice
UNTOLD = {"application/octet-stream", "binary/octet-stream", ""}  # what is said for want of a type

_Result = t.TypeVar("_Result")


class Patience(t.NamedTuple):
    """How long to wait, in seconds, and how often to try one link."""

    connect: float = 10.0
    read: float = 30.0
    """Between two parts."""
    whole: float = 600.0
    """For a file, however slowly it drips."""
    tries: int = 4
    longest_pause: float = 8.0


class Unfetched(QontoError):  # noqa: N818
    """A file can't be had now. `why` is the reason alone, the same for all files that share it.

    `by_qonto`: it is gone, refused or too large, and trying again soon would not help.
    `is_dead_link`: a new link may.
    """

    def __init__(self, why: str, *, by_qonto: bool = False, is_dead_link: bool = False) -> None:
        super().__init__(why)
        self.why, self.by_qonto, self.is_dead_link = why, by_qonto, is_dead_link


class _Broken(Unfetched):
    """Not this time; worth another try."""


class WrongLength(Unfetched):
    """It is whole, by what its server tells, and has other `bytes` than were promised."""

    def __init__(self, size: int) -> None:
        super().__init__("it is not as long as Qonto tells", is_dead_link=True)
        self.bytes = size


@dataclass(frozen=True)
class Promise:
    """What was told of a file before it was fetched; None where nothing was."""

    bytes: int | None = None
    content_type: str | None = None


@dataclass(frozen=True)
class Content:
    """A whole file. `content_type` is the server's, or the promised one where it names none."""

    body: t.IO[bytes]
    bytes: int
    sha256: str
    content_type: str | None


class Downloads:
    """Fetches files for all threads of a run, so many at a time."""

    def __init__(
        self,
        api_url: str,
        *,
        largest: int,
        user_agent: str,
        is_ending: Callable[[], bool] = lambda: False,
        patience: Patience = Patience(),  # noqa: B008 - a tuple of numbers
    ) -> None:
        self._largest = largest
        self._is_ending = is_ending
        self._patience = patience
        api = urlsplit(api_url)
        self._schemes = {"https", api.scheme}
        reach = _reach_of_host(api.hostname or "")
        self._reaches = {"global", reach}
        self._session = _session(user_agent, self._check)
        self._slots = threading.BoundedSemaphore(AT_A_TIME)
        self._patiently = backoff.on_exception(
            backoff.expo,
            _Broken,
            max_tries=patience.tries,
            max_value=patience.longest_pause,
            jitter=backoff.full_jitter,
            giveup=lambda _: self._is_ending(),
            logger=None,
        )(self._attempt)

    def start(self, work: Callable[[], _Result]) -> Future[_Result]:
        """Do `work` on a thread as soon as one of the places is free; waits for it.

        Raises:
            RateLimiterClosed: the run is ending.
        """
        while not self._slots.acquire(timeout=STEP):
            if self._is_ending():
                raise RateLimiterClosed
        future: Future[_Result] = Future()

        def do() -> None:
            try:
                if self._is_ending():
                    raise RateLimiterClosed  # noqa: TRY301 - as what the transport raises
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
                future.set_exception(error)
            finally:
                self._slots.release()

        threading.Thread(target=do, name="qonto-file", daemon=True).start()
        return future

    def fetch(self, link: str, promise: Promise) -> Content:
        """Fetch a file, with retries, until it is whole.

        Raises:
            Unfetched: it can't be had.
            RateLimiterClosed: the run is ending.
        """
        return self._patiently(link, promise)

    # -- one attempt -----------------------------------------------------------------------

    def _attempt(self, link: str, promise: Promise) -> Content:
        deadline = time.monotonic() + self._patience.whole
        try:
            response = self._opened(link)
            with response:
                self._check_answer(response, promise)
                return self._read(response, promise, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, TimeoutError) as error:
            raise _Broken(f"the download broke off ({type(error).__name__})") from None
        except OSError as error:
            raise Unfetched(f"it can't be kept for the moment ({error.strerror})") from None

    def _opened(self, link: str) -> requests.Response:
        """Send the request, and follow where it is sent, within the rules."""
        scheme = urlsplit(link).scheme
        for _ in range(REDIRECTS + 1):
            parts = urlsplit(link)
            if parts.scheme not in self._schemes:
                raise Unfetched("its link is not https", by_qonto=True)
            if parts.scheme != scheme:
                raise Unfetched("its link leads to another scheme", by_qonto=True)
            if parts.username or not parts.hostname:
                raise Unfetched("its link is no address", by_qonto=True)
            if reach := _reach(parts.hostname):
                self._check(reach)
            response = self._session.get(
                link,
                stream=True,
                allow_redirects=False,
                timeout=(self._patience.connect, self._patience.read),
                proxies=_proxies(f"{parts.scheme}://{parts.netloc}"),
            )
            to = response.headers.get("Location")
            if not response.is_redirect or not to:
                return response
            response.close()
            link = urljoin(link, to)
        raise Unfetched("its link leads in a circle", by_qonto=True)

    def _check(self, reach: str) -> None:
        """Refuse an address inside the network, unless the API is there too."""
        if reach not in self._reaches:
            raise Unfetched(f"its link leads to a {reach} address", by_qonto=True)

    def _check_answer(self, response: requests.Response, promise: Promise) -> None:
        status = response.status_code
        if status >= 500 or status in {408, 425, 429}:  # noqa: PLR2004
            raise _Broken(f"its server answers {status}")
        if status in {404, 410}:
            raise Unfetched(f"it is gone ({status})", by_qonto=True, is_dead_link=True)
        if status != 200:  # noqa: PLR2004
            raise Unfetched(f"its server refuses it ({status})", by_qonto=True, is_dead_link=True)
        told = response.headers.get("Content-Length", "")
        is_plain = not response.headers.get("Content-Encoding")
        if told.isdigit():
            self._check_size(int(told))
            if is_plain and promise.bytes not in {None, int(told)}:
                raise WrongLength(int(told))
        elif promise.bytes is None and not _is_framed(response):
            raise _Broken("its server does not tell its length")
        served = _plain_type(response.headers.get("Content-Type"))
        promised = _plain_type(promise.content_type)
        is_page = served in PAGES and promised != served
        if is_page or (served in XML and promised not in XML | UNTOLD):
            raise Unfetched(f"its server sends {served} in its place", is_dead_link=True)

    def _check_size(self, size: int) -> None:
        if size > self._largest:
            raise Unfetched(
                f"it is larger than file_max_bytes ({self._largest:,} bytes)", by_qonto=True
            )

    def _read(self, response: requests.Response, promise: Promise, deadline: float) -> Content:
        body = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - the store reads it
        digest, size = hashlib.sha256(), 0
        try:
            while part := response.raw.read1(CHUNK, decode_content=True):
                if self._is_ending():
                    raise RateLimiterClosed  # noqa: TRY301
                size += len(part)
                self._check_size(size)
                digest.update(part)
                body.write(part)
                if time.monotonic() > deadline:
                    raise TimeoutError  # noqa: TRY301
            if size == 0 and promise.bytes != 0:
                raise _Broken("it is empty")  # noqa: TRY301
            if promise.bytes not in {None, size} and not _is_framed(response):
                raise _Broken("the download broke off")  # noqa: TRY301
            if promise.bytes not in {None, size}:
                raise WrongLength(size)  # noqa: TRY301
        except BaseException:
            body.close()
            raise
        served = _plain_type(response.headers.get("Content-Type"))
        kept = _plain_type(promise.content_type) if served in UNTOLD else served
        return Content(t.cast("t.IO[bytes]", body), size, digest.hexdigest(), kept or None)


def _is_framed(response: requests.Response) -> bool:
    """Does the response itself tell where it ends?"""
    return "Content-Length" in response.headers or "Transfer-Encoding" in response.headers


def _plain_type(value: str | None) -> str:
    """Return a content type without parameters; empty where there is none."""
    plain = (value or "").partition(";")[0].strip().lower()
    return plain if re.fullmatch(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}", plain) else ""


# -- addresses -----------------------------------------------------------------------------


def _reach(address: str) -> str | None:
    """Tell from where an IP address can be reached: `global`, `private`, …; None if it is none."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        nat64 = ip in ipaddress.IPv6Network("64:ff9b::/96")
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if nat64 else None
        ip = ip.ipv4_mapped or ip.sixtofour or inner or ip
    if ip.is_loopback:
        return "loopback"
    if ip.is_link_local:
        return "link-local"
    return "global" if ip.is_global and not ip.is_multicast else "private"


def _reach_of_host(host: str) -> str:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return "global"
    return _reach(str(found[0][4][0])) or "global"


_proxies = functools.lru_cache(get_environ_proxies)  # a third of the cost of a small file


def _session(user_agent: str, check: Callable[[str], None]) -> requests.Session:
    session = requests.Session()
    # proxies are looked up for each link; certificates once; no passwords of ~/.netrc
    found = session.merge_environment_settings("https://", {}, None, None, None)
    session.verify, session.cert = found["verify"], found["cert"]
    session.trust_env = False
    session.headers = requests.structures.CaseInsensitiveDict(
        {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}
    )
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Checking(check))
    return session


class _Checking(requests.adapters.HTTPAdapter):
    """Checks the address of each new connection before anything is sent.

    Not through a proxy: there the proxy looks up the name, and stands in this network by right.
    """

    def __init__(self, check: Callable[[str], None]) -> None:
        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _checked(super()._new_conn(), check)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return _checked(super()._new_conn(), check)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self._pools = {"http": PlainPool, "https": SecurePool}
        super().__init__(pool_connections=AT_A_TIME, pool_maxsize=AT_A_TIME)

    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools


def _checked(connection: socket.socket, check: Callable[[str], None]) -> socket.socket:
    try:
        check(_reach(str(connection.getpeername()[0])) or "private")
    except BaseException:
        connection.close()
        raise
    return connection
