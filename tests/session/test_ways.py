"""What stands between this machine and a server: named as what it is, and no session is lost."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import typing as t
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sessions import open_session, refused
from wire import Call, Wire, reply

from tap_qonto.api.rate_limit import RateLimiter
from tap_qonto.api.responses import Request
from tap_qonto.api.transport import Transport
from tap_qonto.auth.authenticator import ApiKeyAuthenticator
from tap_qonto.auth.refresh import open_store
from tap_qonto.errors import QontoError, RequestFailed, SettingsError
from tap_qonto.settings import Settings

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result
    from token_server import TokenServer

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE")
SILENT = "https://127.0.0.1:9"  # nobody is asked there


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose certificate nobody vouches for."""
    folder = tmp_path_factory.mktemp("stranger")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "all.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "all.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with contextlib.suppress(OSError), connection:
                    context.wrap_socket(connection, server_side=True).close()

    threading.Thread(target=serve, daemon=True).start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


AHEAD = {
    "a bundle that is not there": ({"REQUESTS_CA_BUNDLE": "/nonexistent"}, "names is not there"),
    "SOCKS without its package": (
        {"HTTPS_PROXY": "socks5://me:pa55w0rd@127.0.0.1:9"},
        r"SOCKS proxy .* pip install 'requests\[socks\]'",
    ),
    "a proxy without a host": (
        {"HTTPS_PROXY": "http://"},
        "whose address is none: fix HTTPS_PROXY",
    ),
    "a proxy of no kind": (
        {"ALL_PROXY": "ftp://me:pa55w0rd@127.0.0.1"},
        "whose address is none: fix HTTPS_PROXY",
    ),
    "a proxy with a word for a port": (
        {"HTTPS_PROXY": "http://127.0.0.1:proxy"},
        "has an address that can't be used, or its proxy has",
    ),
}
each_ahead = pytest.mark.parametrize(("variables", "said"), AHEAD.values(), ids=AHEAD.keys())


@each_ahead
def test_what_this_machine_lacks_is_named_before_the_intent(
    settings: Callable[..., Settings],
    server: TokenServer,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    said: str,
) -> None:
    begun: list[object] = []
    monkeypatch.setattr("tap_qonto.auth.token_store.TokenStore.begin", begun.append)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    seeded = settings(oauth_url=SILENT, refresh_token=server.seed())
    authenticator = open_session(seeded)
    with refused(SettingsError, f"The token server {SILENT}/oauth2/token .*{said}"):
        authenticator.session()
    authenticator.close()
    assert begun == []


def sent(url: str, setup: pytest.MonkeyPatch, **variables: str) -> QontoError:
    """What a request to the API ends with."""
    for name, value in variables.items():
        setup.setenv(name, value)
    key = {"api_key_login": "me", "api_key_secret": "s3cret"}
    settings = Settings.from_config({**key, "api_url": url})
    transport = Transport(settings, ApiKeyAuthenticator(settings), RateLimiter([]), "tap-qonto/0")
    with pytest.raises(QontoError) as caught:
        transport.send(Request("labels", None, "/v2/labels"))
    transport.close()
    assert "s3cret" not in str(caught.value)
    assert "pa55w0rd" not in str(caught.value)
    return caught.value


@each_ahead
def test_what_this_machine_lacks_is_named_at_the_first_request(
    monkeypatch: pytest.MonkeyPatch,
    without_waiting: None,  # noqa: ARG001
    variables: dict[str, str],
    said: str,
) -> None:
    error = sent(SILENT, monkeypatch, **variables)
    assert type(error) is RequestFailed  # and not tried again
    with pytest.raises(RequestFailed, match=said):
        raise error


def asked(settings: Settings, said: str) -> None:
    """A refresh fails with this, at once, and leaves no intent."""
    authenticator = open_session(settings)
    with refused(RequestFailed, said):
        authenticator.session()
    authenticator.close()
    stored = open_store(settings).load()
    assert (stored.intent, stored.refused_at) == (None, None)


def test_a_certificate_that_nobody_vouches_for(
    settings: Callable[..., Settings],
    server: TokenServer,
    stranger: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = r"does not trust \(self-signed certificate\).*REQUESTS_CA_BUNDLE"
    asked(settings(oauth_url=stranger, refresh_token=server.seed()), f"{said}.*unharmed.$")
    with pytest.raises(RequestFailed, match=said):
        raise sent(stranger, monkeypatch)


def test_a_bundle_without_certificates(
    settings: Callable[..., Settings],
    server: TokenServer,
    stranger: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "ca.pem").write_text("none")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    said = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names holds no certificates"
    asked(settings(oauth_url=stranger, refresh_token=server.seed()), said)
    with pytest.raises(RequestFailed, match=said):
        raise sent(stranger, monkeypatch)


@pytest.mark.parametrize(("status", "said"), [(407, "put user and password"), (403, "ask whoever")])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses(  # noqa: PLR0913, PLR0917 - fixtures and columns
    settings: Callable[..., Settings],
    server: TokenServer,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    status: int,
    said: str,
) -> None:
    if (scheme, status) == ("http", 403):
        pytest.skip("nobody can tell it from the server's own")

    def answer(call: Call) -> bytes:  # noqa: ARG001
        return reply(b"no", status, Content_Type="text/html")

    with Wire(answer) as proxy:
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy.url.replace("//", "//me:pa55w0rd@"))
        told = f"a proxy that refuses \\({status}\\): {said}"
        seeded = settings(oauth_url=f"{scheme}://127.0.0.1:9", refresh_token=server.seed())
        asked(seeded, told)
        assert len(proxy.calls) == 1
        with pytest.raises(RequestFailed, match=told):
            raise sent(f"{scheme}://127.0.0.1:9", monkeypatch)
        assert len(proxy.calls) == 2


@pytest.mark.parametrize("status", [301, 308])
def test_an_address_that_has_moved(
    settings: Callable[..., Settings],
    server: TokenServer,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
) -> None:
    def answer(call: Call) -> bytes:  # noqa: ARG001
        return reply(b"", status, Location="https://elsewhere.example/")

    with Wire(answer) as old:
        seeded = settings(oauth_url=old.url, refresh_token=server.seed())
        asked(seeded, rf"has moved \({status}\): check oauth_url")
        with pytest.raises(RequestFailed, match=rf"has moved \({status}\): check api_url"):
            raise sent(old.url, monkeypatch)
        assert len(old.calls) == 2


@pytest.mark.usefixtures("environment")
def test_the_login_asks_nobody_while_the_way_is_barred(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAP_QONTO_OAUTH_URL", SILENT)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    result = run("login", "--no-browser")
    assert result.exit_code == 1
    assert "names is not there" in result.output
    assert "Open Qonto" not in result.output
