"""Computes declared columns that SQL could not, when a row is loaded.

The parts of URIs come from Python's own parser, the kinds of addresses from `ipaddress`, registrable domains
from Mozilla's Public Suffix List as bundled by `publicsuffixlist` (shared hosts such as `pages.dev` count as
suffixes), and look-alike letters from Unicode's confusables as bundled by `confusable_homoglyphs`. None of
them needs a network. The results are not content: no hash and no comparison includes them.
"""

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import cache, lru_cache
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from .canonical import JSON

# Most URIs are just a name, a port and a path; only the others are parsed.
_PLAIN_URL = re.compile(
    r"(https?)://((?:[a-z0-9-]+\.)*[a-z0-9-]*[a-z][a-z0-9-]*)(?::[0-9]{1,4})?(?:/[A-Za-z0-9/._~-]*)?"
)
# Browsers remove these before they parse a URI: C0 controls and spaces around it, and line breaks and tabs.
_AROUND = "".join(map(chr, range(0x21)))
_ANYWHERE = str.maketrans("", "", "\t\n\r")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# Never valid in the authority of a URI; browsers and libraries disagree about what follows.
_NOT_IN_AUTHORITY = re.compile(r"[\x00-\x20\x7f\\<>^`{|}\"]")
_PATTERN = re.compile(r"[*{}<>^]|%2a|%7b|\(\?|\.\+", re.IGNORECASE)
_ADDRESS_LABEL = re.compile(r"0x[0-9a-f]*|[0-9]+", re.IGNORECASE)
_REDIRECT_PARAMETERS = frozenset(
    """
    next url uri return returnto returnurl returnuri redirect redirectto redirecturl redirecturi continue
    dest destination goto target forward forwardto callback callbackurl successurl relaystate
    """.split()  # noqa: SIM905 - reads better than a list
)
_OUT_OF_BAND = re.compile(r"urn:ietf:wg:oauth:2\.0:oob(?::.*)?|oob", re.IGNORECASE)
# The schemes whose host is the name of a machine; in others, such as vscode://publisher.extension, it is not.
# A URI without a scheme gets that of the page that completes it.
_WEB = frozenset({"http", "https", None})
_SHOWN = ("client", "logo", "policy", "tos")
# A resource and an action: `dns.read`, in older clients `zone:read`, in the oldest `certificates_write`.
_SCOPE = re.compile(r"(?P<resource>.+)[.:](?P<action>[^.:]+)|(?P<old>.+)_(?P<old_action>read|write|edit)")
# Actions that change nothing. `export` hands out what is stored, as `get` does.
_READING = re.compile(r"(?:.*[_-])?read|read[_-]?only|get|list|view|export|report|monitoring|evaluate|search")
# Their actions change something elsewhere: `ai-search.run` uses paid resources; these only look.
_READING_SCOPES = frozenset({"websearch.run", "teams.pii"})
_PROTOCOL_SCOPES = frozenset({"openid", "offline", "offline_access", "profile", "email", "address", "phone"})


def load_bundled_lists() -> None:
    """Load the bundled lists in advance; otherwise the first name of each kind waits for them."""
    _public_suffixes()
    _looks_like()


@lru_cache(maxsize=4_096)
def uri_facts(uri: str) -> JSON:
    """The parts of a redirect URI or an origin, as columns beside its `value`; absent parts are left out.

    `host_type` is `loopback` (an address), `localhost` (by name), `private`, `address` or `name`; like the
    registrable domain, it is absent if the scheme is not of the web. A host that browsers and libraries would
    parse differently counts as absent. What browsers remove before they parse a URI is removed here, too.
    """
    if plain := _PLAIN_URL.fullmatch(uri):
        none = dict.fromkeys(("has_fragment", "has_pattern", "has_userinfo", "is_out_of_band"), False)
        return {**none, "scheme": plain[1], **_host_facts(plain[2])}
    uri = _as_browsers_see(uri)
    parts = _split(uri)
    scheme = _scheme(uri)
    facts: JSON = {
        "has_fragment": "#" in uri,
        "has_pattern": _PATTERN.search(uri) is not None or (parts is not None and "[" in parts.path),
        "has_userinfo": parts is not None and "@" in parts.netloc,
        "is_out_of_band": _OUT_OF_BAND.fullmatch(uri) is not None,
    }
    if scheme:
        facts["scheme"] = scheme
    if parts is None:
        return facts
    if host := _host(parts):
        facts |= _host_facts(host) if scheme in _WEB else {"host": host}
    if parts.query and (parameter := _redirect_parameter(parts.query)):
        facts["redirect_parameter"] = parameter
    return facts


@cache
def scope_facts(scope: str) -> JSON:
    """Whether a scope lets a client change anything; empty if its name does not tell."""
    if scope in _PROTOCOL_SCOPES:
        return {"writes": False}
    parts = _SCOPE.fullmatch(scope)
    if parts is None:
        return {}
    action = parts["action"] or parts["old_action"]
    return {"writes": _READING.fullmatch(action) is None and scope.replace(":", ".") not in _READING_SCOPES}


ELEMENT_FACTS: dict[str, Callable[[str], JSON]] = {
    "redirect_uris": uri_facts,
    "allowed_cors_origins": uri_facts,
    "post_logout_redirect_uris": uri_facts,
    "scopes": scope_facts,
    "optional_scopes": scope_facts,
}


def with_element_facts(client: JSON) -> JSON:
    """A client's row whose array elements are objects: `value` and the columns derived from it."""
    elements = {
        array: [
            {"value": value} if value is None else {"value": value, **facts(value)} for value in client[array]
        ]
        for array, facts in ELEMENT_FACTS.items()
        if client.get(array)
    }
    return client | elements if elements else client


def client_facts(client: JSON) -> JSON:
    """Columns of a client's row, derived from its fields."""
    facts: JSON = {}
    for shown in _SHOWN:
        uri = client.get(f"{shown}_uri")
        if isinstance(uri, str) and (uri := _as_browsers_see(uri)):
            facts |= _shown_facts(shown, uri)
    name = client.get("client_name")
    if isinstance(name, str) and (skeleton := name_skeleton(name)):
        facts["client_name_skeleton"] = skeleton
    return facts


def change_facts(before: JSON | None, after: JSON | None) -> JSON:
    """Columns of a logged change, derived from the documents before and after it."""
    if after is None:
        return {}
    facts: JSON = {"has_rotated_secret": after.get("has_rotated_secret") is True}
    if before is not None:
        facts["became_public"] = after.get("visibility") == "public" != before.get("visibility")
        facts["write_scopes_added"] = _added(before, after, _write_scopes)
        facts["redirect_domains_added"] = _added(before, after, _redirect_domains)
    return facts


def name_skeleton(name: str) -> str:
    """A key that names which look alike share.

    Spaces, separators, accents and invisible characters are removed, letters are folded to lower case, and
    each is replaced by the plain letter that it resembles. A separator between digits stays: 1.1 is not 11.
    """
    if not name.isascii():
        letters = unicodedata.normalize("NFKD", name).translate(_MARKS)
        # Composed again, because Japanese and Korean letters are decomposed, too.
        name = unicodedata.normalize("NFC", letters).translate(_LETTERS)
    # Unicode's list says of a capital I only that it looks like a small l.
    text = "".join(_SEPARATORS.sub("", name).split()).casefold()
    return text.translate(_LOOK_ALIKES).replace("rn", "m").replace("vv", "w")


@lru_cache(maxsize=16_384)
def registrable_domain(host: str) -> str:
    """The part of a host name that can be registered; the whole name if it is a public suffix."""
    if not host.isascii():
        with suppress(UnicodeError):
            host = host.encode("idna").decode()
    return _public_suffixes().privatesuffix(host) or host


_LOOK_ALIKES = str.maketrans("i1|0", "lllo")
# Control characters, and what stands between the parts of a name.
_SEPARATORS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]|(?<![0-9])[-_.,:;/\\~'`\"]|[-_.,:;/\\~'`\"](?![0-9])")
# Invisible, and in none of the categories for that: fillers, the blank of Braille, variation selectors.
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
) | frozenset(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000)]))
_MIDDLE_DOTS = frozenset("\u00b7\u2022\u2024\u2027\u2219\u22c5\u30fb\u02d9\u2018\u2019\u00b4")


def _as_browsers_see(uri: str) -> str:
    """A URI without what the URL Standard of WHATWG removes before it parses one."""
    return uri.strip(_AROUND).translate(_ANYWHERE)


def _scheme(uri: str) -> str | None:
    found = _SCHEME.match(uri)
    return found[1].lower() if found else None


def _split(uri: str) -> SplitResult | None:
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - raises ValueError if there is none between 0 and 65535
    except ValueError:
        return None
    return None if _NOT_IN_AUTHORITY.search(parts.netloc) else parts


def _host(parts: SplitResult) -> str | None:
    return (parts.hostname or "").rstrip(".") or None


def _host_facts(host: str) -> JSON:
    facts = {"host": host, "host_type": _host_type(host)}
    if facts["host_type"] == "name":
        facts["registrable_domain"] = registrable_domain(host)
    return facts


def _host_type(host: str) -> str:
    if host == "localhost" or host.endswith(".localhost"):
        return "localhost"
    address = _address(host)
    if address is None:
        return "name"
    if address.is_loopback:
        return "loopback"
    return "address" if address.is_global else "private"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if ":" not in host and not _ADDRESS_LABEL.fullmatch(host.rpartition(".")[2]):
        return None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            # 127.1, 0x7f000001 and 2130706433 are addresses to a browser.
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _shown_facts(shown: str, uri: str) -> JSON:
    """Columns about a displayed URL; the domain is the host itself if that is an address or local."""
    scheme: str | None
    scheme, _, rest = uri.partition("://")
    if scheme == "https" and (domain := _domain_of_plain_name(rest.partition("/")[0])):
        has_userinfo = False
    else:
        facts = uri_facts(uri)
        scheme, has_userinfo = facts.get("scheme"), facts["has_userinfo"]
        domain = facts.get("registrable_domain") or (facts.get("host") if "host_type" in facts else None)
    found = {"domain": domain, "uri_scheme": scheme, "uri_has_userinfo": has_userinfo}
    return {f"{shown}_{column}": value for column, value in found.items() if value is not None}


@lru_cache(maxsize=4_096)
def _domain_of_plain_name(authority: str) -> str | None:
    """The registrable domain of an authority that is just a host name."""
    plain = _PLAIN_URL.fullmatch(f"https://{authority}")
    return registrable_domain(authority) if plain and _host_type(authority) == "name" else None


def _redirect_parameter(query: str) -> str | None:
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if re.sub(r"[_.-]", "", name).lower() in _REDIRECT_PARAMETERS:
            return name
    return None


def _added(before: JSON, after: JSON, of: Callable[[JSON], set[str]]) -> str | None:
    return ", ".join(sorted(of(after) - of(before))) or None


def _write_scopes(client: JSON) -> set[str]:
    scopes = [*(client.get("scopes") or ()), *(client.get("optional_scopes") or ())]
    return {scope for scope in scopes if isinstance(scope, str) and scope_facts(scope).get("writes")}


def _redirect_domains(client: JSON) -> set[str]:
    facts = [uri_facts(uri) for uri in client.get("redirect_uris") or () if isinstance(uri, str)]
    return {fact["registrable_domain"] for fact in facts if "registrable_domain" in fact}


@cache
def _public_suffixes() -> Any:
    # Not at the top: importing it reads a file.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


class _Marks(dict[int, str | None]):
    """For `str.translate` of decomposed text: None for accents and invisible characters."""

    def __missing__(self, code: int) -> str | None:
        letter = chr(code)
        # The classes of overlays, and of what stands above or below in Latin, Greek and Cyrillic. Marks of
        # other classes tell letters of other scripts apart.
        is_accent = unicodedata.combining(letter) in _ACCENTS
        # Those of ASCII are left to `_SEPARATORS`, because a tab is a space.
        is_control = not letter.isascii() and unicodedata.category(letter) in ("Cc", "Cf")
        is_invisible = is_control or letter in _INVISIBLE
        self[code] = found = None if is_accent or is_invisible else letter
        return found


class _Letters(dict[int, str | None]):
    """For `str.translate`: the ASCII letter that a letter resembles, or "-" for a separator."""

    def __missing__(self, code: int) -> str | None:
        letter = chr(code)
        if letter in _MIDDLE_DOTS or unicodedata.category(letter) in ("Pd", "Pc"):
            found = "-"
        elif stroked := _STROKED.fullmatch(unicodedata.name(letter, "")):
            found = stroked[2] if stroked[1] == "CAPITAL" else stroked[2].lower()
        else:
            found = _looks_like().get(letter, letter)
        self[code] = found
        return found


_ACCENTS = frozenset([1, *range(200, 241)])
# Letters that are not decomposed, such as \u0142 and \u00f8.
_STROKED = re.compile(
    r"LATIN (SMALL|CAPITAL) LETTER ([A-Z]) WITH (?:.* )?(?:STROKE|BAR|HOOK|TAIL|MIDDLE TILDE)"
)
_MARKS = _Marks()
_LETTERS = _Letters()


@cache
def _looks_like() -> dict[str, str]:
    """Maps letters outside ASCII to the ASCII letter that they resemble."""
    # Not at the top: importing it reads a file.
    from confusable_homoglyphs.confusables import confusables_data

    found: dict[str, str] = {}
    for letter, resembling in confusables_data.items():
        plain = [other["c"] for other in resembling if other["c"].isascii() and other["c"].isalnum()]
        if plain and not letter.isascii():
            found[letter] = min(plain)
    return found
