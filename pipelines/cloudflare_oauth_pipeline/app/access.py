"""Who may see the pages: the host names that are served, and the access token.

A browser sends the host name that it asks. If every name were answered, a web site could make its own name
stand for this machine, and read the pages through its visitors' browsers (DNS rebinding). The token keeps out
the other users of the machine and of the network.
"""

import ipaddress
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, quote, urlencode

from cloudflare_oauth import ConfigurationError, is_loopback

TOKEN_PARAMETER = "access_token"  # noqa: S105  # the name of the parameter, not a token
ALLOW_HOST_VARIABLE = "CLOUDFLARE_OAUTH_ALLOW_HOST"
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


@dataclass(frozen=True)
class ServedHosts:
    """The host names under which the pages are served; loopback names always are.

    `allowed` are the names that the user allows, `bound` is what the server listens on. `any_address` also
    serves every IP address: an address in the browser, unlike a name, cannot be rebound.
    """

    allowed: frozenset[str] = frozenset()
    bound: frozenset[str] = frozenset()
    any_address: bool = False

    @classmethod
    def of(cls, allowed: Iterable[str], *, host: str, address: str) -> Self:
        """The names of a server that was told to listen on `host` and listens on `address`."""
        return cls(
            allowed=frozenset(allowed),
            bound=frozenset({_normal(host), _normal(address)}),
            any_address=is_wildcard(address),
        )

    def serves(self, host: str) -> bool:
        """Whether requests with this `Host` header are answered."""
        name = _normal(host_without_port(host))
        return (
            is_loopback(name) or name in self.allowed | self.bound or (self.any_address and _is_address(name))
        )

    def is_own_origin(self, origin: str, host: str) -> bool:
        """Whether a page of this `Origin` may read what was asked of `host`.

        A proxy may replace the `Host` header: an allowed name on its scheme's own port is enough.
        """
        place = origin.partition("://")[2]
        return place == host or _normal(place) in self.allowed


class AccessToken:
    """The secret in the address that `explore` prints, and the cookie that replaces it in the browser."""

    def __init__(self, port: int) -> None:
        self.value = secrets.token_urlsafe(32)
        # Browsers send a cookie to all ports of a host, where other instances may run.
        self._cookie = f"cloudflare_oauth_{port}={secrets.token_urlsafe(32)}"
        self._tickets: list[str] = []

    def ticket(self) -> str:
        """A token for one use: what starts a browser is visible to all users of the machine."""
        self._tickets.append(secrets.token_urlsafe(32))
        return self._tickets[-1]

    def admits(self, given: str) -> bool:
        """Whether this is the token, or a ticket that has not been used before."""
        for ticket in self._tickets:
            if _are_equal(given, ticket):
                self._tickets.remove(ticket)
                return True
        return _are_equal(given, self.value)

    def is_in(self, cookies: str) -> bool:
        """Whether a `Cookie` header has the cookie."""
        return any(_are_equal(cookie.strip(), self._cookie) for cookie in cookies.split(";"))

    def set_cookie(self, *, secure: bool) -> str:
        """The `Set-Cookie` header; the cookie lasts until the browser is closed."""
        return f"{self._cookie}; Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")


def checked_host_names(given: Iterable[str]) -> tuple[str, ...]:
    """The host names to allow, in the form in which they are compared; several may stand in one, with commas.

    Raises:
        ConfigurationError: one is not a host name.
    """
    names = []
    for name in (name for value in given for name in re.split(r"[,\s]+", value) if name):
        normal = _normal(name.strip("[]"))
        if not (_is_address(normal) or _NAME.fullmatch(normal)):
            raise ConfigurationError(
                f"--allow-host {name}: not a host name: it has no scheme, port, path or wildcard"
            )
        names.append(normal)
    return tuple(names)


def is_wildcard(address: str) -> bool:
    """Whether a server that is bound to this address listens on all addresses of the machine."""
    return _is_address(address) and ipaddress.ip_address(address).is_unspecified


def host_without_port(host: str) -> str:
    """The host of a `Host` header: without the port, and without the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def harmless(host: str) -> str:
    """A host or origin as it was asked for, for a message: what no host name has is percent-encoded."""
    return quote(host[:200], safe=":/[]", errors="replace")


def token_in(query: str) -> str | None:
    """The token in the query of an address."""
    return dict(parse_qsl(query, keep_blank_values=True)).get(TOKEN_PARAMETER)


def without_token(path: str, query: str) -> str:
    """The address of the same page without the token: a path on this server, whatever was asked for."""
    rest = [
        (name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != TOKEN_PARAMETER
    ]
    # Two slashes would begin the name of another server.
    return quote("/" + path.lstrip("/")) + (f"?{urlencode(rest)}" if rest else "")


def _are_equal(given: str, expected: str) -> bool:
    # As bytes: it refuses text that is not ASCII.
    return secrets.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _normal(name: str) -> str:
    name = name.lower().removesuffix(".")
    try:
        # Browsers send names outside ASCII in this form.
        return name.encode("idna").decode()
    except UnicodeError:
        return name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
