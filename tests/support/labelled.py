"""Clients labelled with the verdict of each rule: fires, passes, or silent because it is not evaluable."""

from dataclasses import dataclass, field
from typing import Any

# No rule fires for this client.
ORDINARY: dict[str, Any] = {
    "visibility": "private",
    "redirect_uris": ["https://app.fine.example/cb"],
    "scopes": ["zone.read"],
    "grant_types": ["authorization_code"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "client_secret_basic",
    "client_uri": "https://www.fine.example",
    "policy_uri": "https://www.fine.example/privacy",
    "tos_uri": "https://www.fine.example/terms",
    "client_uri_verification": {"status": "verified", "text": "x"},
    "has_rotated_secret": False,
}
PUBLIC = {"visibility": "public"}
SECRETLESS = {"token_endpoint_auth_method": "none"}

# URI, the redirect rules that fire for a confidential client, and those for a client without a secret.
REDIRECTS: list[tuple[str, str, str]] = [
    ("https://app.fine.example/cb", "", ""),
    ("https://app.fine.example:8443/cb", "", ""),
    ("HTTPS://APP.FINE.EXAMPLE/CB", "", ""),
    ("https://münchen.example/cb", "", ""),
    ("https://localhost.fine.example/cb", "", ""),
    ("https://app.fine.example/http://evil.example/", "", ""),
    ("https://app.fine.example/cb?a=1", "", ""),
    ("https://app.fine.example/cb?nextpage=2", "", ""),
    ("https://app.fine.example/next?x=url", "", ""),
    ("https://app.fine.example/%23", "", ""),
    ("https://app.fine.example/@me", "", ""),
    ("http://app.fine.example/cb", "RU-01", "RU-01"),
    ("HTTP://app.fine.example/cb", "RU-01", "RU-01"),
    ("http://localhost.evil.example/cb", "RU-01", "RU-01"),
    ("http://127.0.0.1.evil.example/cb", "RU-01", "RU-01"),
    ("http://128.0.0.1/cb", "RU-01 RU-12", "RU-01 RU-12"),
    ("http://10.0.0.1/cb", "RU-01 RU-12", "RU-01 RU-12"),
    ("http://localhost@evil.example/cb", "RU-01 RU-12", "RU-01 RU-12"),
    ("http://127.0.0.1/cb", "RU-06", ""),
    ("http://127.0.0.1:8080/cb", "RU-06", ""),
    ("http://127.0.0.2/cb", "RU-06", ""),
    ("http://127.1/cb", "RU-06", ""),
    ("http://[::1]:8080/cb", "RU-06", ""),
    ("https://[::1]/cb", "RU-06", ""),
    ("http://localhost/cb", "RU-05 RU-06", "RU-05"),
    ("http://LOCALHOST:3000/cb", "RU-05 RU-06", "RU-05"),
    ("https://localhost/cb", "RU-05 RU-06", "RU-05"),
    ("http://app.localhost/cb", "RU-05 RU-06", "RU-05"),
    ("https://*.fine.example/cb", "RU-02", "RU-02"),
    ("https://app.fine.example/*", "RU-02", "RU-02"),
    ("https://app.fine.example/%2a", "RU-02", "RU-02"),
    ("https://{tenant}.fine.example/cb", "RU-02 RU-04", "RU-02 RU-04"),
    ("https://app.fine.example/[a-z]+/cb", "RU-02", "RU-02"),
    ("https://[2606:4700::1111]/cb", "RU-12", "RU-12"),
    ("https://app.fine.example/cb#", "RU-03", "RU-03"),
    ("https://app.fine.example/cb#/in", "RU-03", "RU-03"),
    ("https://app.fine.example/#?next=x", "RU-03", "RU-03"),
    ("/callback", "RU-04", "RU-04"),
    ("//app.fine.example/cb", "RU-04", "RU-04"),
    ("app.fine.example/cb", "RU-04", "RU-04"),
    ("", "RU-04", "RU-04"),
    ("https:///cb", "RU-04", "RU-04"),
    ("https://", "RU-04", "RU-04"),
    ("https:cb", "RU-04", "RU-04"),
    ("https://good.example\\@evil.example/cb", "RU-04", "RU-04"),
    ("https://app.fine.example:99999/cb", "RU-04", "RU-04"),
    ("com.example.app:/cb", "RU-10", ""),
    ("com.example.app://cb", "RU-10", ""),
    ("myapp:/cb", "RU-07 RU-10", "RU-07"),
    ("myapp://oauth.example", "RU-07 RU-10", "RU-07"),
    ("MyApp:cb", "RU-07 RU-10", "RU-07"),
    ("urn:ietf:wg:oauth:2.0:oob", "RU-14", "RU-14"),
    ("urn:ietf:wg:oauth:2.0:oob:auto", "RU-14", "RU-14"),
    ("URN:IETF:wg:oauth:2.0:OOB", "RU-14", "RU-14"),
    (" urn:ietf:wg:oauth:2.0:o\tob\n", "RU-14", "RU-14"),
    ("oob", "RU-14", "RU-14"),
    ("OOB ", "RU-14", "RU-14"),
    ("urn:ietf:wg:oauth:2.0:oobe", "RU-07 RU-10", "RU-07"),
    ("urn:ietf:wg:oauth:2x0:oob", "RU-07 RU-10", "RU-07"),
    ("urn:example:oob", "RU-07 RU-10", "RU-07"),
    ("/oob", "RU-04", "RU-04"),
    ("oob.fine.example", "RU-04", "RU-04"),
    ("oob:/cb", "RU-07 RU-10", "RU-07"),
    ("https://app.fine.example/urn:ietf:wg:oauth:2.0:oob", "", ""),
    ("com.example.app://callback", "RU-10", ""),
    ("com.example.app://localhost/cb", "RU-10", ""),
    ("com.example.app://127.0.0.1/cb", "RU-10", ""),
    ("com.example.app://8.8.8.8/cb", "RU-10", ""),
    ("vscode://publisher.extension/cb", "RU-07 RU-10", "RU-07"),
    ("capacitor://localhost", "RU-07 RU-10", "RU-07"),
    ("ionic://[::1]/cb", "RU-07 RU-10", "RU-07"),
    (" https://app.fine.example/cb\n", "", ""),
    ("https://a\tpp.fine.ex\r\nample/cb", "", ""),
    ("ht\ttp://app.fine.example/cb", "RU-01", "RU-01"),
    ("\x01\x1f http://app.fine.example/cb", "RU-01", "RU-01"),
    ("http://local\nhost.evil.example/cb", "RU-01", "RU-01"),
    ("http://127.0.\t0.1/cb", "RU-06", ""),
    (" http://local\thost/cb", "RU-05 RU-06", "RU-05"),
    ("\nhttps://*.fine.example/cb", "RU-02", "RU-02"),
    ("https://app.fine.example/%\t2a", "RU-02", "RU-02"),
    ("\thttps://app.fine.example/cb#", "RU-03", "RU-03"),
    (" /callback", "RU-04", "RU-04"),
    ("/\t/app.fine.example/cb", "RU-04", "RU-04"),
    ("https://app.fine.ex ample/cb", "RU-04", "RU-04"),
    ("\x02https://app.fine\x02.example/cb", "RU-04", "RU-04"),
    (" my\tapp:/cb", "RU-07 RU-10", "RU-07"),
    (" javascript:alert(1)", "RU-09", "RU-09"),
    ("java\nscript:alert(1)", "RU-09", "RU-09"),
    ("\x01\x1fj\r\nava\tscript\t:alert(1)", "RU-09", "RU-09"),
    ("\tdata:text/html,x", "RU-09", "RU-09"),
    ("https://app.fine.example/cb?ne\nxt=/home", "RU-11", "RU-11"),
    ("https://me\t@app.fine.example/cb", "RU-12", "RU-12"),
    (" https://8.8.\n8.8/cb", "RU-12", "RU-12"),
    ("javascript:alert(1)", "RU-09", "RU-09"),
    ("JavaScript:alert(1)", "RU-09", "RU-09"),
    ("javascript:/*x*/alert(1)", "RU-09", "RU-09"),
    ("data:text/html,<b>x</b>", "RU-09", "RU-09"),
    ("file:///etc/passwd", "RU-09", "RU-09"),
    ("blob:https://app.fine.example/1", "RU-09", "RU-09"),
    ("javascript.fine.example:/cb", "RU-10", ""),
    ("https://app.fine.example/cb?next=/home", "RU-11", "RU-11"),
    ("https://app.fine.example/cb?a=1&return_to=%2F", "RU-11", "RU-11"),
    ("https://app.fine.example/cb?RedirectUri=x", "RU-11", "RU-11"),
    ("https://app.fine.example/cb?url", "RU-11", "RU-11"),
    ("https://10.20.4.17/cb", "RU-12", "RU-12"),
    ("https://192.168.1.20:8443/cb", "RU-12", "RU-12"),
    ("https://[fd12:3456:789a::1]/cb", "RU-12", "RU-12"),
    ("https://8.8.8.8/cb", "RU-12", "RU-12"),
    ("https://0x0a000001/cb", "RU-12", "RU-12"),
    ("https://me@app.fine.example/cb", "RU-12", "RU-12"),
    ("https://me:pw@app.fine.example/cb", "RU-12", "RU-12"),
    ("https://app.fine.example@8.8.8.8/cb", "RU-12", "RU-12"),
]
REDIRECT_RULES = [f"RU-{number:02}" for number in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 14)]


@dataclass(frozen=True)
class Labelled:
    """Clients for which a rule fires (with the severity), passes or is silent.

    Each is given by the fields in which it differs from the ordinary client. `before` and `long_before` are
    fields of the same clients 10 and 100 days ago, for the rules that depend on the change log. The clients
    named in `elsewhere` lie in another account.
    """

    fires: list[tuple[str, dict[str, Any]]]
    passes: list[dict[str, Any]]
    silent: list[dict[str, Any]]
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    long_before: dict[str, dict[str, Any]] = field(default_factory=dict)
    elsewhere: frozenset[str] = frozenset()


def _redirecting(*uris: str | None) -> dict[str, Any]:
    return {"redirect_uris": list(uris)}


NO_REDIRECTS = [_redirecting(), {"redirect_uris": None}, _redirecting(None)]
NO_SCOPES = [{"scopes": []}, {"scopes": None}]
NO_METHOD = {"token_endpoint_auth_method": None}
MISLEADING = [
    "Cl\u00f6udflare",
    "C\u0142oudflare",
    "Cloud\u034fflare",
    "Cloud\ufe0fflare",
    "Cloud-flare",
    "Cloud\u2011flare",
    "Cloud_flare",
    "Cloud.flare",
    "Cloud\u00b7flare",
]
# Scopes whose category is written in other ways than in the catalogue of the emulated API.
OTHER_SCOPES = {
    "billing-0.write": "account_and_billing",
    "billing-1.write": "account-and-billing",
    "billing-2.write": "account_billing",
    "billing-3.write": "Account and Billing",
    "slug.write": "developer_platform",
    "slug.edit": "developer-platform",
    "label.write": "Developer Platform",
    "other.write": "media",
}
WIDE = ["dns.write", "workers-scripts.write", "cache.purge", "zone-waf.write", "images.write"]

# URIs that run a script or hide where they lead, with the severity for where no code is sent to them.
UNCLEAR = [
    ("high", "javascript:alert(1)"),
    ("high", " JavaScript:alert(1)"),
    ("high", "java\nscr\tipt:alert(1)"),
    ("high", "\x01data:text/html,x"),
    ("high", "file:///etc/passwd"),
    ("high", "blob:https://a.example/1"),
    ("high", "vbscript:x"),
    ("medium", "https://me@a.example/"),
    ("medium", " https://www.fine.example\t@evil.example/"),
    ("medium", "//a.example/x"),
    ("medium", "\t//a.example/x"),
    ("medium", "/\\a.example/x"),
    ("medium", "www.fine.example"),
    ("medium", "https:///x"),
    ("medium", "https://a.example\\@evil.example/"),
]
CLEAR = [
    "https://www.fine.example/x",
    "HTTPS://WWW.FINE.EXAMPLE/@me",
    " https://www.f\tine.example/javascript:alert(1)",
    "https://javascript.fine.example/",
    "https://www.fine.example//a.example",
    "https://10.0.0.1/",
]
SHOWN = ("client_uri", "logo_uri", "policy_uri", "tos_uri")

LABELLED: dict[str, Labelled] = {
    "RU-13": Labelled(
        [
            ("low", _redirecting("https://a.one.example/", "https://two.example/")),
            ("low", _redirecting("https://a.pages.dev/", "https://b.pages.dev/")),
            ("low", _redirecting("https://a.co.uk/", "https://b.co.uk/", "http://127.0.0.1/")),
            ("low", _redirecting("https://one.example/", "https://one.example.evil.example/")),
            ("low", _redirecting("https://one.example/", "https://t\two.example/")),
            ("low", _redirecting("https://one.example/", " //two.example/")),
        ],
        [
            _redirecting("https://a.one.example/", "https://b.one.example/"),
            _redirecting("https://one.example/", "https://ONE.example./x"),
            _redirecting("https://one.example/", "http://127.0.0.1/", "com.example.app:/cb"),
            _redirecting("https://10.0.0.1/", "https://10.0.0.2/"),
            _redirecting("https://one.example/", "https://o\tne.example/", " https://one.example/\n"),
            _redirecting("https://one.example/", "com.example.app://callback"),
            _redirecting("https://one.example/", "vscode://publisher.extension/cb", "capacitor://localhost"),
            _redirecting("myapp://one.example", "myapp://two.example"),
            _redirecting("https://a.one.co.uk/", "https://b.one.co.uk/"),
        ],
        NO_REDIRECTS,
    ),
    "RT-01": Labelled(
        [
            ("high", {"response_types": types})
            for types in (
                ["token"],
                ["code", "token"],
                ["id_token token"],
                ["token id_token"],
                ["code token"],
            )
        ],
        [
            {},
            {"response_types": ["code", "id_token"]},
            {"response_types": ["code id_token"]},
            # The values are case-sensitive (RFC 6749 §4.2.1), so this is no response type.
            {"response_types": ["code", "TOKEN"]},
        ],
        [{"response_types": []}, {"response_types": None}],
    ),
    "RT-03": Labelled(
        [
            ("medium", {"response_types": ["id_token"]}),
            ("medium", {"grant_types": ["refresh_token"], "response_types": ["code"]}),
            ("medium", {"grant_types": ["refresh_token"], "response_types": ["id_token"]}),
            ("medium", {"response_types": ["id_token token"]}),
        ],
        [
            {},
            {"grant_types": ["authorization_code", "refresh_token"], "response_types": ["code", "id_token"]},
            {"response_types": ["code id_token"]},
            {"response_types": ["token code"]},
        ],
        [{"grant_types": []}, {"response_types": None}],
    ),
    "AU-01": Labelled(
        [("medium", SECRETLESS | {"grant_types": ["authorization_code", "refresh_token"]})],
        [SECRETLESS, {"grant_types": ["authorization_code", "refresh_token"]}],
        [NO_METHOD | {"grant_types": ["refresh_token"]}, SECRETLESS | {"grant_types": []}],
    ),
    "AU-02": Labelled(
        [
            ("high", SECRETLESS | {"scopes": ["dns.write"]}),
            ("high", SECRETLESS | {"scopes": ["zone.read", "cache.purge"]}),
            ("critical", SECRETLESS | PUBLIC | {"scopes": ["dns.write"]}),
            ("high", SECRETLESS | {"scopes": ["dns.write"], "visibility": "unheard-of"}),
            ("high", SECRETLESS | {"scopes": ["workers:write"]}),
            ("high", SECRETLESS | {"scopes": ["account.dns:edit"]}),
            ("high", SECRETLESS | {"scopes": ["oauth_account_ssl_and_certificates_write"]}),
            ("high", SECRETLESS | {"scopes": ["ai-search.run"]}),
        ],
        [
            SECRETLESS | {"scopes": ["zone.read", "d1.metadata_read", "openid"]},
            {"scopes": ["dns.write"]},
            SECRETLESS | {"scopes": ["zone:read", "teams:pii", "offline"]},
            SECRETLESS | {"scopes": ["dns.get", "dns.export", "dns.readonly", "websearch.run"]},
            # No action, so no verdict.
            SECRETLESS | {"scopes": ["zone", "dns."]},
        ],
        [NO_METHOD | {"scopes": ["dns.write"]}, *(SECRETLESS | none for none in NO_SCOPES)],
    ),
    "SE-01": Labelled(
        [("medium", {"has_rotated_secret": True}), ("critical", {"has_rotated_secret": True})],
        [{"has_rotated_secret": True}, {"has_rotated_secret": True}, {"has_rotated_secret": False}],
        [{"has_rotated_secret": None}],
        before={
            "fires-0": {"has_rotated_secret": True},
            "fires-1": {"has_rotated_secret": True},
            "passes-0": {"has_rotated_secret": False},
            "passes-1": {"has_rotated_secret": False},
            "passes-2": {"has_rotated_secret": True},
            "silent-0": {"has_rotated_secret": True},
        },
        long_before={
            "fires-0": {"has_rotated_secret": False},
            "fires-1": {"has_rotated_secret": True},
            "passes-1": {"has_rotated_secret": True},
        },
    ),
    "SE-02": Labelled(
        [
            ("low", {"created_at": "200 days"}),
            ("medium", {"created_at": "400 days"}),
        ],
        [{"created_at": "100 days"}, {"created_at": "400 days"}, SECRETLESS | {"created_at": "400 days"}],
        [{"created_at": None}, NO_METHOD | {"created_at": "400 days"}],
        before={"passes-1": {"has_rotated_secret": True}},
    ),
    "CO-01": Labelled(
        [
            ("high", {"allowed_cors_origins": ["*"]}),
            ("high", {"allowed_cors_origins": ["https://a.example", "null"]}),
            ("high", {"allowed_cors_origins": [" Null "]}),
            ("high", {"allowed_cors_origins": ["https://*.example.com"]}),
            ("high", {"allowed_cors_origins": [" ht\ttps://*"]}),
            ("high", {"allowed_cors_origins": ["https://{tenant}.a.example"]}),
            ("high", {"allowed_cors_origins": [r"^https://.+\.a\.example$"]}),
        ],
        [
            {"allowed_cors_origins": ["https://a.example", " https://a\t.example", "https://[2001:db8::1]"]},
            {"allowed_cors_origins": ["https://null.example", "nullify", "https://null"]},
        ],
        [{"allowed_cors_origins": []}, {"allowed_cors_origins": None}],
    ),
    "CO-02": Labelled(
        [
            ("medium", {"allowed_cors_origins": ["http://a.example"]}),
            ("medium", {"allowed_cors_origins": ["http://localhost.evil.example"]}),
            ("medium", {"allowed_cors_origins": [" ht\ttp://a.example"]}),
        ],
        [
            {"allowed_cors_origins": ["https://a.example"]},
            {"allowed_cors_origins": ["http://127.0.0.1:3000", "http://[::1]", "http://localhost"]},
            {"allowed_cors_origins": ["http://local\thost", "capacitor://localhost", "ionic://a.example"]},
            {"allowed_cors_origins": ["*"]},
        ],
        [{"allowed_cors_origins": []}],
    ),
    "CO-03": Labelled(
        [("low", {"allowed_cors_origins": ["https://a.example"]})],
        [SECRETLESS | {"allowed_cors_origins": ["https://a.example"]}],
        [{"allowed_cors_origins": []}, NO_METHOD | {"allowed_cors_origins": ["https://a.example"]}],
    ),
    "LO-01": Labelled(
        [
            ("medium", {"post_logout_redirect_uris": ["http://a.example/bye"]}),
            ("medium", {"post_logout_redirect_uris": ["https://a.example", "http://127.0.0.1.evil.example"]}),
            ("medium", {"post_logout_redirect_uris": ["\nh\tttp://a.example/bye"]}),
        ],
        [
            {
                "post_logout_redirect_uris": [
                    "https://a.example/bye",
                    "http://127.0.0.1/bye",
                    "http://localhost",
                ]
            }
        ],
        [{"post_logout_redirect_uris": []}],
    ),
    "LO-02": Labelled(
        [
            ("medium", {"post_logout_redirect_uris": ["https://*.a.example/bye"]}),
            ("medium", {"post_logout_redirect_uris": [" https://a.example/%2\ta"]}),
        ],
        [{"post_logout_redirect_uris": ["https://a.example/bye", "javascript:/*x*/alert(1)"]}],
        [{"post_logout_redirect_uris": None}],
    ),
    "LO-03": Labelled(
        [
            (severity, {"post_logout_redirect_uris": ["https://a.example/bye", uri]})
            for severity, uri in UNCLEAR
        ],
        [{"post_logout_redirect_uris": [uri]} for uri in (*CLEAR, "com.example.app:/bye", "myapp://bye")],
        [{"post_logout_redirect_uris": []}, {"post_logout_redirect_uris": [None]}],
    ),
    "ID-01": Labelled(
        [
            ("high", PUBLIC | {"client_uri_verification": {"status": status}})
            for status in ("pending", "in_progress", "failed")
        ]
        + [
            ("high", PUBLIC | {"client_uri_verification": None}),
            ("high", PUBLIC | {"client_uri_verification": {}}),
            ("high", PUBLIC | {"client_uri_verification": {"status": None}, "client_uri": None}),
        ],
        [
            PUBLIC,
            {"client_uri_verification": {"status": "failed"}},
            {"client_uri_verification": None},
        ],
        [],
    ),
    "ID-02": Labelled(
        [
            ("low", {"client_uri_verification": {"status": "failed"}}),
            ("low", {"client_uri_verification": {"status": "pending"}, "updated_at": "3 days"}),
            ("low", {"client_uri_verification": {"status": "in_progress"}, "created_at": "3 days"}),
        ],
        [{}, {"client_uri_verification": {"status": "pending"}, "updated_at": "1 days"}],
        [
            {"client_uri_verification": None},
            {"client_uri_verification": {"status": "failed"}, "client_uri": None},
        ],
    ),
    "ID-03": Labelled(
        [
            ("medium", {"client_uri": "https://other.example"}),
            ("medium", {"logo_uri": "https://cdn.other.example/l.png"}),
            ("medium", {"policy_uri": "https://fine.example.evil.example/"}),
            ("medium", {"tos_uri": "https://10.0.0.1/"}),
            ("medium", {"client_uri": "https://ot\ther.example"}),
            ("medium", {"logo_uri": " //other.example/l.png"}),
        ],
        [
            {},
            {"client_uri": "https://www.f\tine.example", "tos_uri": " https://fine.example/\n"},
            {"client_uri": "com.other.app://callback", "logo_uri": "capacitor://localhost"},
            _redirecting("com.example.app://callback", "vscode://publisher.extension/cb"),
            _redirecting("capacitor://localhost"),
            {"redirect_uris": ["http://127.0.0.1/", "https://x.fine.example/"]},
            _redirecting("http://127.0.0.1/"),
        ],
        [*NO_REDIRECTS, dict.fromkeys(SHOWN)],
    ),
    "ID-04": Labelled(
        [
            ("low", {"client_uri": "HTTP://www.fine.example"}),
            ("low", {"logo_uri": "http://fine.example/l.png"}),
            ("low", {"policy_uri": " http://fine.example/"}),
            ("low", {"tos_uri": "ht\ntp://fine.example/"}),
        ],
        [{}, {"tos_uri": "https://fine.example/http://"}, {"logo_uri": "httpx://fine.example"}],
        [dict.fromkeys(SHOWN)],
    ),
    "ID-05": Labelled(
        [
            ("medium", {"client_name": "Payroll Bridge"}),
            ("medium", {"client_name": "PayroII  bridge"}),
            ("medium", {"client_name": "P\u0430yroll Bridge"}),
            ("medium", {"client_name": "Cloudflare Login"}),
            ("medium", {"client_name": "C1oud-flare Support"}),
            ("medium", {"client_name": "Cloudfare"}),
            ("low", {"client_name": "Rolled out"}),
            ("low", PUBLIC | {"client_name": "Rolled out"}),
            ("medium", {"client_name": "Tr\u00e4velDesk"}),
            ("medium", {"client_name": "Travel-Desk"}),
            *(("medium", {"client_name": name}) for name in MISLEADING),
        ],
        [
            {"client_name": "Payroll Bridges"},
            {"client_name": "Same name"},
            {"client_name": "Same name"},
            {"client_name": "Version 1.1"},
            {"client_name": "Version 11"},
            {"client_name": "\u304b\u304e"},
            {"client_name": "\u304c\u304d"},
            {"client_name": "Private everywhere"},
            {"client_name": "Private everywhere"},
        ],
        [{"client_name": None}],
        elsewhere=frozenset({"fires-6", "fires-9", "passes-4", "passes-6", "passes-7"}),
    ),
    "ID-06": Labelled(
        [("low", PUBLIC | {"policy_uri": None}), ("low", PUBLIC | {"tos_uri": None, "policy_uri": None})],
        [PUBLIC, {"policy_uri": None}],
        [],
    ),
    "ID-07": Labelled(
        [
            ("medium", {"client_name": "terraform test app", "scopes": ["dns.write"]}),
            ("medium", {"client_name": "DEV-console", "scopes": ["cache.purge"]}),
            ("medium", PUBLIC | {"client_name": "Demo"}),
        ],
        [
            {"client_name": "test reader"},
            {"client_name": "Contest winners", "scopes": ["dns.write"]},
            {"client_name": "Device manager", "scopes": ["dns.write"]},
        ],
        [{"client_name": None, "scopes": ["dns.write"]}],
    ),
    "ID-08": Labelled(
        [
            (severity, {SHOWN[number % 4]: uri})
            for number, (severity, uri) in enumerate([*UNCLEAR, *UNCLEAR[:1], *UNCLEAR[:8:-1]])
        ],
        [{}, *({field: uri} for field in SHOWN for uri in CLEAR), {"logo_uri": ""}, {"tos_uri": " \t"}],
        [dict.fromkeys(SHOWN)],
    ),
    "SC-01": Labelled(
        [
            ("high", {"scopes": WIDE}),
            ("high", {"scopes": ["api-tokens.write"]}),
            *(("high", {"scopes": [f"billing-{number}.write"]}) for number in range(4)),
        ],
        [
            {},
            {"scopes": WIDE[:3]},
            {"scopes": ["slug.write", "slug.edit", "label.write", "other.write"]},
            {"scopes": ["memberships.read", "billing.read"]},
            {"scopes": ["unheard.write"]},
        ],
        NO_SCOPES,
    ),
    "SC-02": Labelled(
        [("low", {"scopes": ["rocket-loader.write"]}), ("low", {"scopes": ["zone.read", "zone:read"]})],
        [{}, {"scopes": ["openid", "offline_access", "offline", "address", "phone", "dns.write"]}],
        NO_SCOPES,
    ),
    "DR-01": Labelled(
        [
            ("high", {"scopes": ["zone.read", "dns.write"]}),
            ("high", {"scopes": ["dns.write", "cache.purge"]}),
        ],
        [{"scopes": ["zone.read", "dns.read"]}, {"scopes": ["dns.write"]}, {"scopes": ["zone.read"]}],
        [],
        before={
            "fires-0": {"scopes": ["zone.read"]},
            "fires-1": {"scopes": ["dns.write"]},
            "passes-0": {"scopes": ["zone.read"]},
            "passes-2": {"scopes": ["zone.read", "dns.write"]},
        },
    ),
    "DR-02": Labelled(
        [
            ("high", _redirecting("https://app.fine.example/cb", "https://new.example/cb")),
            ("high", _redirecting("https://app.fine.example/cb", " https://n\tew.example/cb")),
            ("high", _redirecting("https://app.fine.example/cb", "//new.example/cb")),
        ],
        [
            _redirecting("https://app.fine.example/cb", "https://other.fine.example/cb"),
            _redirecting("https://new.example/cb"),
            _redirecting("https://app.fine.example/cb", "https://app.f\tine.example/cb"),
            _redirecting("https://app.fine.example/cb", "com.example.app://callback"),
            _redirecting("https://app.fine.example/cb", "vscode://publisher.extension/cb"),
            _redirecting("https://app.fine.example/cb", "capacitor://localhost"),
        ],
        [],
        before={
            name: _redirecting("https://app.fine.example/cb")
            for name in (
                *(f"fires-{number}" for number in range(3)),
                *(f"passes-{number}" for number in (0, 2, 3, 4, 5)),
            )
        },
    ),
    "DR-03": Labelled(
        [("medium", PUBLIC)],
        [PUBLIC, {}],
        [],
        before={"fires-0": {"visibility": "private"}, "passes-0": PUBLIC | {"logo_uri": None}},
    ),
    "LC-01": Labelled(
        [("low", {"updated_at": "366 days"})],
        [{"updated_at": "364 days"}],
        [{"updated_at": None}],
    ),
}
