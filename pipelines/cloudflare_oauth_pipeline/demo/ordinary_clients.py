"""OAuth clients as they should be: few scopes, one domain, HTTPS, verified before they become public."""

import hashlib
import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..fake_api.scopes import PROTOCOL_SCOPES

LAUNCH = datetime(2026, 6, 3, 13, 0, tzinfo=UTC)
"""When Cloudflare opened self-managed OAuth clients to all customers: no client is older."""
LAST_DAY = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
RECENT = datetime(2026, 8, 15, tzinfo=UTC)

FIELD_ORDER = (
    "client_id",
    "visibility",
    "allowed_cors_origins",
    "client_name",
    "client_uri",
    "client_uri_verification",
    "created_at",
    "grant_types",
    "has_rotated_secret",
    "logo_uri",
    "optional_scopes",
    "policy_uri",
    "post_logout_redirect_uris",
    "promoted_at",
    "redirect_uris",
    "response_types",
    "scopes",
    "token_endpoint_auth_method",
    "tos_uri",
    "updated_at",
)

TEAMS = (
    "Checkout",
    "Search",
    "Catalogue",
    "Loyalty",
    "Fulfilment",
    "Pricing",
    "Identity",
    "Data",
    "Growth",
    "Support",
    "Security",
    "Platform",
    "Web",
    "Mobile",
    "Finance",
    "Partner",
)

# Name, kind, which decides how it authenticates, and scopes.
APPLICATIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("DNS dashboard", "web", ("zone.read", "dns.read")),
    ("DNS change board", "web", ("zone.read", "dns.read", "dns.write")),
    ("cache purge button", "web", ("zone.read", "cache.purge")),
    ("traffic report", "web", ("account-analytics.read", "analytics.read", "zone.read")),
    ("Workers deployer", "web", ("workers-scripts.read", "workers-scripts.write", "account-settings.read")),
    ("KV browser", "web", ("workers-kv-storage.read", "account-settings.read")),
    ("R2 browser", "web", ("workers-r2.read", "workers-r2-bucket-item.read")),
    ("D1 console", "web", ("d1.read", "d1.metadata_read")),
    ("Pages preview bot", "web", ("page.read", "page.write")),
    ("certificate inventory", "web", ("zone.read", "ssl-and-certificates.read")),
    ("access review portal", "web", ("access.read", "access-audit-log.read", "memberships.read")),
    ("WAF review", "web", ("zone.read", "zone-waf.read", "account-waf.read")),
    ("invoice import", "web", ("billing.read", "account-settings.read")),
    ("Turnstile admin", "web", ("challenge-widgets.read", "challenge-widgets.write")),
    ("mail routing manager", "web", ("email-routing-rule.read", "email-routing-rule.write", "zone.read")),
    ("AI gateway costs", "web", ("aig.read", "account-settings.read")),
    ("queue monitor", "web", ("queues.read", "workers-observability.read")),
    ("status board", "browser", ("zone.read", "healthcheck.read")),
    ("log viewer", "browser", ("account-logs.read", "logs.read")),
    ("image gallery", "browser", ("images.read",)),
    ("command line", "native", ("user-details.read", "account-settings.read", "workers-scripts.read")),
    ("on-call app", "native", ("user-details.read", "notifications.read")),
)


@dataclass(frozen=True)
class Company:
    """The company that owns an account, and the domain of its clients."""

    name: str
    domain: str


def in_field_order(client: dict[str, Any]) -> dict[str, Any]:
    """Reorder a client's fields to the order in which the API sends them."""
    return {field: client[field] for field in FIELD_ORDER if field in client}


def ordinary_clients(rng: random.Random, company: Company, count: int) -> list[dict[str, Any]]:
    """Generate `count` clients with distinct names."""
    combinations = [(team, application) for team in TEAMS for application in APPLICATIONS]
    return [
        _client(rng, company, f"{team} {name}", kind, scopes)
        for team, (name, kind, scopes) in rng.sample(combinations, count)
    ]


def base_client(
    rng: random.Random, company: Company, name: str, *, keep: tuple[str, ...] | None = None
) -> dict[str, Any]:
    """Generate an ordinary private web application, the basis of a risky client.

    With `keep`, only these fields remain.
    """
    client = _client(rng, company, name, "web", ("zone.read", "dns.read"), can_be_public=False)
    return client if keep is None else {field: client[field] for field in keep if field in client}


def _client(
    rng: random.Random,
    company: Company,
    name: str,
    kind: str,
    scopes: tuple[str, ...],
    *,
    can_be_public: bool = True,
) -> dict[str, Any]:
    host = f"{_slug(name)}.{company.domain}"
    created = LAUNCH + (LAST_DAY - LAUNCH) * rng.random() ** 1.6
    updated = max(created, RECENT) + (LAST_DAY - max(created, RECENT)) * rng.random()
    refreshes = kind == "web" and rng.random() < 0.6
    identifies = rng.random() < 0.25
    client: dict[str, Any] = {
        "visibility": "private",
        "client_name": name,
        "client_uri": f"https://{host}",
        "created_at": _timestamp(created),
        "grant_types": ["authorization_code", *(["refresh_token"] if refreshes else [])],
        "has_rotated_secret": False,
        "redirect_uris": _redirect_uris(rng, kind, host, company),
        "response_types": ["code", *(["id_token"] if identifies else [])],
        "scopes": [*scopes, *_protocol_scopes(identifies, refreshes)],
        "token_endpoint_auth_method": rng.choice(("client_secret_basic", "client_secret_post"))
        if kind == "web"
        else "none",
        "updated_at": _timestamp(updated),
    }
    if kind == "browser":
        client["allowed_cors_origins"] = [f"https://{host}"]
    elif rng.random() < 0.5:
        client["allowed_cors_origins"] = []
    if rng.random() < 0.6:
        client["logo_uri"] = f"https://{host}/logo.png"
        client["policy_uri"] = f"https://{company.domain}/privacy"
        client["tos_uri"] = f"https://{company.domain}/terms"
    if rng.random() < 0.5:
        client["post_logout_redirect_uris"] = [f"https://{host}/signed-out"]
    if len(scopes) > 2 and rng.random() < 0.4:
        client["optional_scopes"] = [scopes[-1]]
    if can_be_public and kind == "web" and rng.random() < 0.06:
        client |= _public(rng, host, company, created, updated)
    return client


def _slug(name: str) -> str:
    words = re.findall("[a-z0-9]+", name.lower())
    return "-".join(words[:3]) or hashlib.sha256(name.encode()).hexdigest()[:6]


def _redirect_uris(rng: random.Random, kind: str, host: str, company: Company) -> list[str]:
    if kind == "native":
        reversed_domain = ".".join(reversed(company.domain.split(".")))
        return [f"{reversed_domain}:/oauth/callback", "http://127.0.0.1/callback"]
    uris = [f"https://{host}/oauth/callback"]
    if rng.random() < 0.3:
        uris.append(f"https://{host}/api/auth/callback/cloudflare")
    return uris


def _protocol_scopes(identifies: bool, refreshes: bool) -> list[str]:
    return [
        scope for scope, is_asked in zip(PROTOCOL_SCOPES, (identifies, refreshes), strict=True) if is_asked
    ]


def _public(
    rng: random.Random, host: str, company: Company, created: datetime, updated: datetime
) -> dict[str, Any]:
    return {
        "visibility": "public",
        "client_uri_verification": {
            "status": "verified",
            "text": f"cloudflare_oauth_client_publisher={rng.getrandbits(128):032x}",
        },
        "logo_uri": f"https://{host}/logo.png",
        "policy_uri": f"https://{company.domain}/privacy",
        "tos_uri": f"https://{company.domain}/terms",
        "promoted_at": _timestamp(created + (updated - created) * rng.random()),
    }


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
