"""OAuth clients that a security review would find, and names that an unsafe reader would execute."""

from dataclasses import dataclass, field
from typing import Any

from ..fake_api.scopes import OAUTH_SCOPES

PUBLISHER = "cloudflare_oauth_client_publisher=5f0c7d7be1a94ad2a5a2a2a04a7be913"
SECRETLESS = {"token_endpoint_auth_method": "none"}
REFRESHING = {"grant_types": ["authorization_code", "refresh_token"]}
DNS_WRITE = ["zone.read", "dns.write"]
WRITE_SCOPES = [scope["id"] for scope in OAUTH_SCOPES if scope["id"].endswith(".write")]
ARRAYS = (
    "allowed_cors_origins",
    "grant_types",
    "optional_scopes",
    "post_logout_redirect_uris",
    "redirect_uris",
    "response_types",
    "scopes",
)


@dataclass(frozen=True)
class RiskyClient:
    """A client, what is wrong with it (`risk`), and how its fields differ from an ordinary client's."""

    risk: str
    account: str
    name: str
    fields: dict[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] | None = None
    """The only fields it keeps of an ordinary client; None keeps all."""


def _redirecting(risk: str, account: str, name: str, *uris: str, **fields: Any) -> RiskyClient:
    return RiskyClient(risk, account, name, {"redirect_uris": list(uris)} | fields)


def _public(verification: str | None, **fields: Any) -> dict[str, Any]:
    promoted: dict[str, Any] = {
        "visibility": "public",
        "created_at": "2026-08-27T08:15:22.770914Z",
        "promoted_at": "2026-09-14T10:30:41.052677Z",
        "updated_at": "2026-09-14T10:30:41.052677Z",
    }
    if verification is not None:
        promoted["client_uri_verification"] = {"status": verification, "text": PUBLISHER}
    return promoted | fields


def _untouched_since(day: str) -> dict[str, Any]:
    return {"created_at": f"{day}T15:20:07.418203Z", "updated_at": f"{day}T15:20:07.418203Z"}


REDIRECTS = (
    _redirecting(
        "http off loopback", "retail", "Theme editor", "http://editor.halden-retail.example/oauth/callback"
    ),
    _redirecting(
        "http off loopback",
        "foxglove",
        "Legacy importer",
        "https://import.foxglove-analytics.example/cb",
        "http://import.foxglove-analytics.example/cb",
    ),
    _redirecting(
        "wildcard", "staging", "Preview deployments", "https://*.preview.halden-staging.example/callback"
    ),
    _redirecting("wildcard", "labs", "Path playground", "https://play.halden-labs.example/*"),
    _redirecting("fragment", "labs", "Single page demo", "https://demo.halden-labs.example/cb#/signed-in"),
    _redirecting("localhost by name", "sandbox", "Local console", "http://localhost:8787/callback"),
    _redirecting(
        "localhost by name",
        "retail",
        "Storybook login",
        "https://storybook.halden-retail.example/cb",
        "http://localhost:6006/cb",
    ),
    _redirecting(
        "loopback next to https, public",
        "payments",
        "Payout partner portal",
        "https://partners.halden-pay.example/callback",
        "http://127.0.0.1:5173/callback",
        **_public("verified"),
    ),
    _redirecting(
        "custom scheme without a dot", "logistics", "Driver handbook", "haldendriver://oauth", **SECRETLESS
    ),
    _redirecting("javascript:", "labs", "Bookmarklet", "javascript:alert(document.domain)"),
    _redirecting("data:", "labs", "Inline page", "data:text/html,<h1>signed in</h1>"),
    _redirecting(
        "open redirect",
        "media",
        "Newsroom share button",
        "https://news.halden-media.example/auth?next=https://news.halden-media.example/home",
    ),
    _redirecting(
        "open redirect",
        "retail",
        "Voucher login",
        "https://go.halden-retail.example/r?redirect_uri=%2Fvouchers",
    ),
    _redirecting(
        "private address",
        "logistics",
        "Warehouse gateway",
        "https://10.20.4.17/oauth/callback",
        "https://192.168.1.20:8443/oauth/callback",
    ),
    _redirecting("private address", "payments", "Reconciliation", "https://[fd12:3456:789a::1]/callback"),
    _redirecting(
        "several domains",
        "group",
        "Sign-in bridge",
        "https://login.halden.example/callback",
        "https://login.halden-retail.example/callback",
        "https://auth.foxglove-analytics.example/callback",
        "https://halden-bridge.workers.dev/callback",
    ),
    _redirecting(
        "shared hosting", "sandbox", "Weekend project", "https://weekend-project.pages.dev/callback"
    ),
    _redirecting(
        "user in the address", "foxglove", "Report mailer", "https://halden.example@foxglove.example/cb"
    ),
    _redirecting(
        "http after sign-out",
        "logistics",
        "Route planner",
        "https://routes.halden-logistics.example/callback",
        post_logout_redirect_uris=["http://routes.halden-logistics.example/bye"],
    ),
)

GRANTS = (
    RiskyClient("token response", "labs", "Old SPA login", {"response_types": ["token"]} | SECRETLESS),
    RiskyClient("token response", "media", "Embed widget", {"response_types": ["code", "token", "id_token"]}),
    RiskyClient(
        "no secret, refreshes and writes",
        "retail",
        "Store manager mobile",
        {"scopes": [*DNS_WRITE, "workers-kv-storage.write", "offline_access"]} | SECRETLESS | REFRESHING,
    ),
    RiskyClient(
        "no secret, writes", "group", "Purge widget", {"scopes": ["zone.read", "cache.purge"]} | SECRETLESS
    ),
    RiskyClient(
        "no secret, refreshes",
        "staging",
        "Tablet kiosk",
        {"scopes": ["zone.read", "offline_access"]} | SECRETLESS | REFRESHING,
    ),
    RiskyClient("old secret still works", "payments", "Settlement reports", {"has_rotated_secret": True}),
    RiskyClient(
        "old secret still works", "retail", "Basket sync", {"has_rotated_secret": True, "scopes": DNS_WRITE}
    ),
    RiskyClient("old secret still works", "group", "Board report", {"has_rotated_secret": True}),
    RiskyClient("any origin", "media", "Player statistics", {"allowed_cors_origins": ["*"]}),
    RiskyClient(
        "null origin", "staging", "Sandboxed frame", {"allowed_cors_origins": ["null", "http://dev.test"]}
    ),
)

SCOPES = (
    RiskyClient("writes everywhere", "group", "Everything importer", {"scopes": WRITE_SCOPES[:48]}),
    RiskyClient(
        "writes everywhere",
        "foxglove",
        "Migration tool 2025",
        {"scopes": WRITE_SCOPES[10:40], "optional_scopes": WRITE_SCOPES[20:40]},
    ),
    RiskyClient(
        "test with write", "retail", "terraform test app", {"scopes": [*DNS_WRITE, "zone-settings.write"]}
    ),
    RiskyClient(
        "test with write", "group", "dev - do not use", {"scopes": ["workers-scripts.write", "d1.write"]}
    ),
    RiskyClient(
        "makes tokens", "group", "Onboarding wizard", {"scopes": ["api-tokens.write", "memberships.write"]}
    ),
    RiskyClient(
        "not in the catalogue", "staging", "Rocket loader", {"scopes": ["zone.read", "rocket-loader.write"]}
    ),
    RiskyClient("not in the catalogue", "japan", "配送ダッシュボード", {"scopes": ["zone:read", "dns.read"]}),
)

PUBLICITY = (
    RiskyClient("public, failed", "retail", "Zonewatch", _public("failed", scopes=DNS_WRITE)),
    RiskyClient("public, pending", "payments", "Partner connect", _public("pending")),
    RiskyClient("public, in progress", "media", "Press kit", _public("in_progress")),
    RiskyClient(
        "public, never verified",
        "foxglove",
        "Insights",
        _public(None),
        only=("client_name", "scopes", "redirect_uris"),
    ),
    RiskyClient("alike", "group", "Halden Deploy Console"),
    RiskyClient("alike", "retail", "HaIden Deploy Console", _public("failed")),
    RiskyClient("alike", "foxglove", "H\u0430lden Deploy Console", {"scopes": ["workers-scripts.write"]}),
    RiskyClient(
        "claims to be Cloudflare", "labs", "Cloudflare Support Assistant", {"scopes": ["account.read"]}
    ),
    RiskyClient("claims to be Cloudflare", "sandbox", "Cloudfare Dashboard Login"),
    RiskyClient(
        "logo over http",
        "logistics",
        "Dock planner",
        {"logo_uri": "http://cdn.halden-logistics.example/l.png"},
    ),
    RiskyClient("stale", "group", "Launch day experiment", _untouched_since("2026-06-03")),
    RiskyClient("stale", "retail", "Summer campaign", _untouched_since("2026-06-09")),
    RiskyClient("stale", "logistics", "Pilot", _untouched_since("2026-06-11") | {"scopes": DNS_WRITE}),
)

GAPS = (
    RiskyClient("required fields only", "japan", "unused", only=("visibility",)),
    RiskyClient("nulls", "staging", "Half-filled form", dict.fromkeys([*ARRAYS, "client_uri", "updated_at"])),
    RiskyClient("nulls", "sandbox", "unnamed", {"client_name": None, "has_rotated_secret": None}),
    RiskyClient("empty arrays", "staging", "Abandoned draft", {array: [] for array in ARRAYS}),
    RiskyClient("empty object", "labs", "Unstarted verification", {"client_uri_verification": {}}),
)

NAMES = tuple(
    RiskyClient("name", account, name)
    for account, name in (
        ("labs", "<img src=x onerror=alert(1)>"),
        ("labs", '=HYPERLINK("https://halden-labs.example/x","Open")'),
        ("labs", "Robert'); DROP TABLE oauth_clients;--"),
        ("sandbox", "[bold red]urgent[/bold red] [link=https://halden.example]click[/link]"),
        ("sandbox", "| pipes | and `ticks` |\nsecond line\ttab"),
        ("sandbox", "\u202egnp.exe \u200bzero width\u200d"),
        ("media", "Éditeur d'articles : «brouillon»"),
        ("japan", "在庫管理ツール"),
        ("japan", "注文 📦 トラッカー"),
        ("group", "لوحة المراقبة"),
        ("retail", "Very long name " + "of a client described in every last detail " * 5),
    )
)

RISKY = (*REDIRECTS, *GRANTS, *SCOPES, *PUBLICITY, *GAPS, *NAMES)
