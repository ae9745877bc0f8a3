"""The way to Cloudflare that the environment describes: the proxy, and the certificates that are trusted."""

import os
import re
import ssl
from functools import cache
from importlib.util import find_spec
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from ..errors import ConfigurationError
from ..settings import is_address, is_loopback

_PROXY = re.compile(
    r"(?P<scheme>https?|socks5h?)://([^\s/?#@:]*(:[^\s/?#@:]*)?@)?(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])"
    r"(:(?P<port>[0-9]{1,5}))?/?",
    re.IGNORECASE,
)

_CERTIFICATE_IN_A_FOLDER = re.compile(r"[0-9a-f]{8}\.[0-9]+")


def proxy_for(base_url: str) -> httpx.Proxy | None:
    """The proxy for a URL, by `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` or the settings of the system.

    A proxy is for other machines: there is none for this one.

    Raises:
        ConfigurationError: it cannot be used.
    """
    url = urlsplit(base_url)
    host = url.hostname or ""
    if is_loopback(host) or proxy_bypass(host) or proxy_bypass(f"[{host}]"):
        return None
    proxies = getproxies()
    name = next((name for name in (url.scheme, "all") if proxies.get(name)), None)
    if name is None:
        return None
    variable = f"{name.upper()}_PROXY"
    address = proxies[name].strip()
    if "://" not in address:
        address = f"http://{address}"
    match = _PROXY.fullmatch(address)
    if not match or not is_address(match["host"], match["port"]):
        # Most of it may be a password.
        raise ConfigurationError(
            f"{variable} is no address of a proxy: it has to be like http://user:password@host:port, with "
            "characters such as '#', '/' and '@' in a password percent-encoded ('#' is %23)."
        )
    if match["scheme"].lower().startswith("socks") and not find_spec("socksio"):
        raise ConfigurationError(
            f"{variable} names a SOCKS proxy, which needs another package: pip install 'httpx[socks]'."
        )
    return httpx.Proxy(address, ssl_context=ssl_context() if match["scheme"].lower() == "https" else None)


def check_network(base_url: str) -> None:
    """Check what the environment says about the way to a URL.

    Raises:
        ConfigurationError: it cannot be used.
    """
    if urlsplit(base_url).scheme == "https":
        ssl_context()
    proxy_for(base_url)


def ssl_context() -> ssl.SSLContext:
    """What decides which servers are trusted.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` name the certificates that are trusted. Without them, those of the
    system are, which know a company's own, and those of Mozilla, as not every system has any.

    Raises:
        ConfigurationError: a variable names no certificates.
    """
    return loaded_context(os.environ.get("SSL_CERT_FILE") or None, os.environ.get("SSL_CERT_DIR") or None)


# Made once, because loading certificates takes long.
@cache
def loaded_context(file: str | None, folder: str | None) -> ssl.SSLContext:
    if keys := os.environ.get("SSLKEYLOGFILE"):
        # Python writes the keys of connections there, for those who watch the network.
        try:
            open(keys, "ab").close()
        except OSError as error:
            raise ConfigurationError(
                f"SSLKEYLOGFILE names {keys}, which cannot be written to: {error.strerror}. Correct the "
                "variable or remove it."
            ) from None
    if folder and not os.path.isdir(folder):
        raise ConfigurationError(
            f"SSL_CERT_DIR names {folder}, which is no folder. Correct the variable or remove it."
        )
    if folder and not file and not any(map(_CERTIFICATE_IN_A_FOLDER.fullmatch, os.listdir(folder))):
        raise ConfigurationError(
            f"SSL_CERT_DIR names {folder}, which holds no certificate under the name that OpenSSL looks for: "
            "run `openssl rehash` on it, correct the variable or remove it."
        )
    if not file and not folder:
        context = httpx.create_ssl_context(trust_env=False)
        context.load_default_certs()
        return context
    try:
        return ssl.create_default_context(cafile=file, capath=folder)
    except OSError as error:
        # An error of SSL is one, too.
        why = "it holds no certificate in PEM format" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigurationError(
            f"SSL_CERT_FILE names {file}, which cannot be used: {why}. Correct the variable or remove it."
        ) from None
