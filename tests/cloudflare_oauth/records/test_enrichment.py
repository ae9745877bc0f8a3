"""The columns that are computed from a client's fields."""

from typing import Any

import pytest

from cloudflare_oauth.records.enrichment import (
    change_facts,
    client_facts,
    name_skeleton,
    scope_facts,
    uri_facts,
)


@pytest.mark.parametrize(
    ("uri", "scheme", "host", "host_type", "domain"),
    [
        ("https://login.app.example/cb", "https", "login.app.example", "name", "app.example"),
        ("HTTPS://Login.App.Example.:443/cb?x#y", "https", "login.app.example", "name", "app.example"),
        ("https://shop.co.uk.example.co.uk/", "https", "shop.co.uk.example.co.uk", "name", "example.co.uk"),
        ("https://mine.pages.dev/cb", "https", "mine.pages.dev", "name", "mine.pages.dev"),
        ("https://münchen.example.de/", "https", "münchen.example.de", "name", "example.de"),
        ("http://127.0.0.1:8080/cb", "http", "127.0.0.1", "loopback", None),
        ("http://127.0.0.2/cb", "http", "127.0.0.2", "loopback", None),
        ("http://[::1]:8080/cb", "http", "::1", "loopback", None),
        ("http://[::ffff:127.0.0.1]/cb", "http", "::ffff:127.0.0.1", "loopback", None),
        ("http://127.1/cb", "http", "127.1", "loopback", None),
        ("http://0x7f000001/cb", "http", "0x7f000001", "loopback", None),
        ("http://2130706433/cb", "http", "2130706433", "loopback", None),
        ("http://localhost:3000/cb", "http", "localhost", "localhost", None),
        ("http://app.localhost/cb", "http", "app.localhost", "localhost", None),
        ("http://localhost.evil.example/cb", "http", "localhost.evil.example", "name", "evil.example"),
        ("http://127.0.0.1.evil.example/cb", "http", "127.0.0.1.evil.example", "name", "evil.example"),
        ("https://127.0.0.1@evil.example/cb", "https", "evil.example", "name", "evil.example"),
        ("https://10.20.4.17/cb", "https", "10.20.4.17", "private", None),
        ("https://[fd12:3456:789a::1]/cb", "https", "fd12:3456:789a::1", "private", None),
        ("https://8.8.8.8/cb", "https", "8.8.8.8", "address", None),
        ("com.example.app:/cb", "com.example.app", None, None, None),
        ("javascript:alert(1)", "javascript", None, None, None),
        ("com.example.app://callback", "com.example.app", "callback", None, None),
        ("vscode://publisher.extension/cb", "vscode", "publisher.extension", None, None),
        ("capacitor://localhost", "capacitor", "localhost", None, None),
        ("//app.example/cb", None, "app.example", "name", "app.example"),
        (" java\nscript:alert(1)", "javascript", None, None, None),
        ("ht\ttp://a.example", "http", "a.example", "name", "a.example"),
        ("\x00\x1f https://a\t.exam\r\nple\x01", "https", "a.example", "name", "a.example"),
        ("https://a .example/", "https", None, None, None),
        ("\xa0https://a.example/", None, None, None, None),
        ("/callback", None, None, None, None),
        ("https:///callback", "https", None, None, None),
        ("https://good.example\\@evil.example/", "https", None, None, None),
        ("https://[::1/", "https", None, None, None),
        ("https://app.example:99999/", "https", None, None, None),
        ("", None, None, None, None),
    ],
)
def test_uri_facts_are_scheme_host_and_domain(
    uri: str, scheme: str | None, host: str | None, host_type: str | None, domain: str | None
) -> None:
    """Look-alikes of loopback are not loopback; a URI that parsers disagree about has no host."""
    facts = uri_facts(uri)

    found = [facts.get(name) for name in ("scheme", "host", "host_type", "registrable_domain")]
    assert found == [scheme, host, host_type, domain]


@pytest.mark.parametrize(
    ("uri", "fact", "value"),
    [
        ("https://*.app.example/cb", "has_pattern", True),
        ("https://app.example/%2A", "has_pattern", True),
        ("https://{tenant}.app.example/", "has_pattern", True),
        ("https://app.example/[a-z]/cb", "has_pattern", True),
        ("https://[2001:db8::1]/cb", "has_pattern", False),
        ("https://app.example/cb", "has_pattern", False),
        ("https://app.example/cb#/in", "has_fragment", True),
        ("https://app.example/cb%23", "has_fragment", False),
        ("https://me:secret@app.example/", "has_userinfo", True),
        ("https://app.example/@me", "has_userinfo", False),
        ("https://app.example/?next=/home", "redirect_parameter", "next"),
        ("https://app.example/?a=1&Return_To=%2F", "redirect_parameter", "Return_To"),
        ("https://app.example/next?nextpage=1", "redirect_parameter", None),
        ("https://app.example/oob", "is_out_of_band", False),
        ("urn:ietf:wg:oauth:2.0:oobe", "is_out_of_band", False),
        ("urn:ietf:wg:oauth:2.0:oob", "is_out_of_band", True),
        (" OOB\n", "is_out_of_band", True),
    ],
)
def test_uri_facts_flag_what_deserves_attention(uri: str, fact: str, value: Any) -> None:
    """Each is detected only in the part of the URI where it has a meaning."""
    assert uri_facts(uri).get(fact) == value


@pytest.mark.parametrize(
    ("scope", "writes"),
    [
        ("dns.write", True),
        ("cache.purge", True),
        ("zaraz.edit", True),
        ("access.revoke", True),
        ("registrar-domains.admin", True),
        ("dns.read", False),
        ("d1.metadata_read", False),
        ("teams.report", False),
        ("openid", False),
        ("offline_access", False),
        ("zone:read", False),
        ("workers:write", True),
        ("account.dns:edit", True),
        ("oauth_account_ssl_and_certificates_write", True),
        ("dns.get", False),
        ("dns.readonly", False),
        ("dns.export", False),
        ("websearch.run", False),
        ("websearch:run", False),
        ("ai-search.run", True),
        ("teams:pii", False),
        ("offline", False),
        ("zone", None),
        (":read", None),
        ("dns.", None),
        ("", None),
    ],
)
def test_a_scope_writes_or_reads_or_is_unknown(scope: str, writes: bool | None) -> None:
    """An action counts as writing unless it is known to be harmless."""
    assert scope_facts(scope).get("writes") is writes


def test_names_that_look_alike_have_the_same_skeleton() -> None:
    """The skeleton ignores case, spaces, separators, accents, what is invisible, and confusable letters."""
    alike = [
        "Deploy Console",
        "deploy  console",
        "Dep1oy Console",
        "D\u0435ploy C\u043ensole",
        "De\u200bployConsole",
        "D\u00e9ploy C\u00f3ns\u00f8le",
        "Dep\u0142oy Conso\u0338le",
        "De\u034fploy Con\ufe0fsole",
        "De\u3164ploy Con\U000e0101sole",
        "De\x7fploy Con\x01sole",
        "Deploy-Console",
        "Deploy\u2011Console",
        "Deploy_Con.sole",
        "Deploy\u2013Con\u00b7sole",
    ]

    assert len({name_skeleton(name) for name in alike}) == 1
    assert name_skeleton("Halden") == name_skeleton("HaIden")
    assert name_skeleton("modern") == name_skeleton("rnodern")
    assert name_skeleton("Deploy Console") != name_skeleton("Deploy Consul")
    assert name_skeleton("配送") != name_skeleton("在庫")
    # Marks that tell letters of other scripts apart stay, as does what separates digits.
    assert name_skeleton("\u304b\u304e") != name_skeleton("\u304c\u304d")
    assert name_skeleton("\u0e01\u0e35") != name_skeleton("\u0e01\u0e34")
    assert name_skeleton("Version 1.1") != name_skeleton("Version 11")


@pytest.mark.parametrize(
    ("uri", "facts"),
    [
        ("https://www.app.example/x", ("app.example", "https", False)),
        (" HTTPS://www.a\tpp.example\n", ("app.example", "https", False)),
        ("http://10.0.0.1/l.png", ("10.0.0.1", "http", False)),
        ("http://localhost/", ("localhost", "http", False)),
        ("https://me@www.app.example/", ("app.example", "https", True)),
        ("//www.app.example/", ("app.example", None, False)),
        ("com.example.app://callback", (None, "com.example.app", False)),
        ("java\nscript:alert(1)", (None, "javascript", False)),
        ("https:///x", (None, "https", False)),
        ("later", (None, None, False)),
        (" \t", (None, None, None)),
        (5, (None, None, None)),
        (None, (None, None, None)),
    ],
)
def test_client_facts_are_the_parts_of_its_urls(uri: Any, facts: tuple[Any, ...]) -> None:
    """An IP address stands for itself; a URL without a host has no domain, and a blank one has no facts."""
    for shown in ("client", "logo", "policy", "tos"):
        columns = (f"{shown}_domain", f"{shown}_uri_scheme", f"{shown}_uri_has_userinfo")
        expected = {name: value for name, value in zip(columns, facts, strict=True) if value is not None}
        assert client_facts({f"{shown}_uri": uri}) == expected


def test_change_facts_name_what_a_change_added() -> None:
    """They leave out what was there before and scopes that only read."""
    before = {"scopes": ["dns.write"], "redirect_uris": ["https://a.example/"], "visibility": "private"}
    after = {
        "scopes": ["dns.write", "zone.read", "d1.write"],
        "optional_scopes": ["ai.run"],
        "redirect_uris": ["https://b.a.example/", "https://c.example/", None],
        "visibility": "public",
        "has_rotated_secret": True,
    }

    assert change_facts(before, after) == {
        "has_rotated_secret": True,
        "became_public": True,
        "write_scopes_added": "ai.run, d1.write",
        "redirect_domains_added": "c.example",
    }
    assert change_facts(after, None) == {}
    assert change_facts(None, after) == {"has_rotated_secret": True}
