"""The way to Cloudflare: proxies and certificates, against a server with a certificate of its own."""

import http.server
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from cloudflare_oauth import CloudflareError, ConfigurationError, Limits, SyncSettings
from cloudflare_oauth.api import network
from cloudflare_oauth.api.client import CloudflareClient, Usage
from cloudflare_oauth.api.endpoint import Endpoint
from cloudflare_oauth.api.network import proxy_for

VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
BASE_URL = "https://api.example/client/v4"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({"HTTPS_PROXY": "http://proxy:3128"}, BASE_URL, "http://proxy:3128"),
        ({"https_proxy": "proxy:3128"}, BASE_URL, "http://proxy:3128"),
        ({"ALL_PROXY": "http://proxy:1"}, BASE_URL, "http://proxy:1"),
        ({"ALL_PROXY": "http://all:1", "HTTPS_PROXY": "http://proxy:2"}, BASE_URL, "http://proxy:2"),
        ({"HTTP_PROXY": "http://proxy:3128"}, BASE_URL, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "[::1], api.example"}, BASE_URL, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": ".example"}, BASE_URL, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "*"}, BASE_URL, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "[::1],,other.example"}, BASE_URL, "http://proxy"),
        ({"HTTPS_PROXY": "http://proxy", "HTTP_PROXY": "http://proxy"}, "http://127.0.0.1:8", None),
        ({"HTTPS_PROXY": "http://proxy", "HTTP_PROXY": "http://proxy"}, "http://[::1]:8", None),
        ({}, BASE_URL, None),
    ],
)
def test_the_proxy_is_the_one_that_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, proxy: str | None
) -> None:
    """As for other programs; this machine needs none."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    found = proxy_for(url)

    assert (str(found.url) if found else None) == proxy


def test_a_password_with_escapes_reaches_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was meant."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pa%23ss@proxy:3128")

    proxy = proxy_for(BASE_URL)

    assert proxy is not None
    assert proxy.raw_auth == (b"me", b"pa#ss")


def test_an_empty_folder_of_certificates_is_told(tmp_path: Path) -> None:
    """OpenSSL finds a certificate by a name that `openssl rehash` gives it."""
    (tmp_path / "company.pem").touch()

    with pytest.raises(ConfigurationError, match=r"SSL_CERT_DIR .* holds no certificate under the name"):
        network.loaded_context(None, str(tmp_path))


def test_a_socks_proxy_needs_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which a copied source may lack, and which is named then."""
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy:1080")
    assert proxy_for(BASE_URL) is not None
    monkeypatch.setitem(sys.modules, "socksio", None)

    with pytest.raises(ConfigurationError, match=r"ALL_PROXY .* pip install 'httpx\[socks\]'"):
        proxy_for(BASE_URL)


# The certificate of a company that no list has, for this machine, and its key; valid for a hundred years.
CERTIFICATE = Path(__file__).parents[2] / "support" / "localhost.pem"
# As OpenSSL names it in a folder: `openssl x509 -hash`.
NAME_IN_A_FOLDER = "ce275665.0"


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers every request with an empty result."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b'{"success": true, "errors": [], "result": []}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def base_url() -> Iterator[str]:
    """A server that speaks TLS with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_address[1]}"
        server.shutdown()


def ask(base_url: str) -> object:
    settings = SyncSettings(api_token="x" * 40, base_url=base_url, limits=Limits(attempts=5))
    usage = Usage()

    async def get() -> object:
        async with CloudflareClient(settings) as client:
            return (await client.get(Endpoint(path="/x", subject="x"), {}, usage)).result

    try:
        return anyio.run(get)
    finally:
        assert usage.requests == 1


def test_a_certificate_that_is_not_trusted_is_told_at_once(base_url: str) -> None:
    """With the variable that makes it trusted; to ask again would not help."""
    with pytest.raises(CloudflareError, match=r"certificate of localhost is not trusted .* SSL_CERT_FILE"):
        ask(base_url)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_companys_certificate_can_be_named(
    base_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    """In a file, or in a folder as OpenSSL has it."""
    (tmp_path / NAME_IN_A_FOLDER).write_bytes(CERTIFICATE.read_bytes())
    monkeypatch.setenv(variable, str(CERTIFICATE if variable == "SSL_CERT_FILE" else tmp_path))

    assert ask(base_url) == []


def test_the_certificates_of_the_system_are_trusted(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that OpenSSL loads by itself; here from another file than the system's."""
    loaded = []
    original = ssl.SSLContext.load_default_certs

    def load(self: ssl.SSLContext, *arguments: object) -> None:
        loaded.append(self)
        original(self)
        # In place of an administrator, who adds it to the system's store.
        self.load_verify_locations(CERTIFICATE)

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", load)
    network.loaded_context.cache_clear()
    try:
        assert ask(base_url) == []
        assert len(loaded) == 1
    finally:
        network.loaded_context.cache_clear()
