"""Cloudflare's catalogue of OAuth scopes, as `GET /oauth/scopes` lists it.

A scope is a resource and an action: `workers-scripts.write`. The resources are those of API token
permissions. The protocol's own scopes are not in the catalogue, although clients have them.
"""

from typing import Any

PROTOCOL_SCOPES = ("openid", "offline_access")
"""Scopes that Cloudflare adds and removes to match a client's grant and response types."""

ACCOUNT = "com.cloudflare.api.account"
ZONE = "com.cloudflare.api.account.zone"
USER = "com.cloudflare.api.user"
BUCKET = "com.cloudflare.edge.r2.bucket"

# Category, type of the resource, and `resource:action,…`; without actions: `read` and `write`.
RESOURCES: list[tuple[str, str, str]] = [
    ("Account & Billing", USER, "user-details memberships api-tokens"),
    (
        "Account & Billing",
        ACCOUNT,
        """account:read account-settings billing notifications account-custom-asset account-api-tokens
        oauth-clients scim-provisioning:write integration:write apps:write resource-library
        resource-sharing tag""",
    ),
    (
        "Developer Platform",
        ACCOUNT,
        """workers-scripts:read,write,edit,bind workers-platform:read workers-kv-storage workers-r2
        workers-tail:read workers-ci workers-observability workers-observability-telemetry:write
        containers cloudchamber d1:read,write,metadata_read queues vectorize hyperdrive
        pipelines:read,write,send page pubsub secrets-store constellation browser-rendering:write
        r2-catalog r2-catalog-sql:read flagship:read,write,evaluate query-cache mcp-portals
        realtime:read,write,admin artifacts email-sending""",
    ),
    ("Developer Platform", BUCKET, "workers-r2-bucket-item"),
    ("Developer Platform", ZONE, "workers-routes snippets"),
    (
        "AI & Machine Learning",
        ACCOUNT,
        """ai aig:read,write,run ai-search:read,write,run,index rag:read,write,run aiaudit websearch:run
        firewall-for-ai""",
    ),
    ("DNS & Zones", ZONE, "zone zone-settings dns zone-versioning custom-hostnames"),
    ("DNS & Zones", ACCOUNT, "account-dns-settings dns-firewall dns-view registrar-domains:read,admin"),
    ("Cache & Performance", ZONE, "cache:purge cache-settings ssl-and-certificates zone-disable-esc"),
    ("Cache & Performance", ACCOUNT, "account-ssl-and-certificates account-disable-esc keyless-ssl"),
    (
        "Security",
        ZONE,
        """zone-waf firewall-services bot-management page-shield:read page:shield api-gateway
        zaraz:read,write,edit http-ddos-managed-ruleset zone-security-center-insights fraud-detection
        fraud-feedback fraud-events:write http-applications sanitize client-certificates""",
    ),
    (
        "Security",
        ACCOUNT,
        """account-waf account-firewall-access-rules account-api-gateway challenge-widgets url-scanner
        account-security-center-insights botnet-feed ddos-protection l4-ddos-managed-ruleset iot
        trust-and-safety cloudforce-one intel account-filter-lists""",
    ),
    (
        "Rules & Configuration",
        ZONE,
        """page-rules config-settings custom-errors custom-pages dynamic-redirect managed-headers origin
        response-compression transform-rules zone-transform-rules""",
    ),
    (
        "Rules & Configuration",
        ACCOUNT,
        """account-rulesets account-rule-lists account-custom-pages account-custom-error-rules
        mass-url-redirects select-configuration""",
    ),
    ("Cloudflare One", ZONE, "zone-access:read,write,revoke"),
    (
        "Cloudflare One",
        ACCOUNT,
        """access:read,write,revoke access-app:read,write,revoke access-org:read,write,revoke
        access-acct:read,write,revoke access-policy access-policy-test access-group access-idp access-key
        access-certificate access-saml-certificate access-custom-page access-device-posture
        access-service-token access-ssh-auditing access-population access-tag access-users
        access-seats:write access-audit-log:read access-scim-log:read argotunnel casb dls
        teams:read,write,report teams-connectors teams-connector-warp teams-networks teams-resilience
        teams-connector-cloudflared:read,write,monitoring teams-dex teams-pii:read teams-secure:location""",
    ),
    ("Analytics & Logs", ZONE, "analytics:read logs"),
    ("Analytics & Logs", ACCOUNT, "account-analytics:read account-logs radar:read"),
    (
        "Network Services",
        ACCOUNT,
        """address-maps ip-prefix ip-prefix-bgp-on-demand load-balancers-account
        load-balancing-monitors-and-pools magic-firewall magic-transit magic-wan pcaps-api
        fbm:read,write,admin connectivity-directory:read,bind,admin chinanetwork-steering
        account-waiting-rooms:read""",
    ),
    ("Network Services", ZONE, "load-balancers healthcheck waiting-rooms web3-hostnames spectrum"),
    ("Media", ACCOUNT, "images stream calls moq"),
    (
        "Email & Messaging",
        ACCOUNT,
        """cloud-email-security email-routing-address email-routing-suppression email-security-dmarcreports
        messaging:read,edit""",
    ),
    ("Email & Messaging", ZONE, "email-routing-rule"),
]

SPELLINGS = {
    "ai": "AI",
    "aiaudit": "AI Audit",
    "aig": "AI Gateway",
    "api": "API",
    "argotunnel": "Cloudflare Tunnel",
    "bgp": "BGP",
    "casb": "CASB",
    "ci": "CI",
    "ddos": "DDoS",
    "dex": "DEX",
    "dls": "Data Localization Suite",
    "dns": "DNS",
    "esc": "Email Security Contacts",
    "fbm": "Flow-Based Monitoring",
    "http": "HTTP",
    "idp": "Identity Provider",
    "iot": "IoT",
    "ip": "IP",
    "kv": "KV",
    "mcp": "MCP",
    "moq": "MoQ",
    "oauth": "OAuth",
    "pii": "PII",
    "rag": "RAG",
    "saml": "SAML",
    "scim": "SCIM",
    "sql": "SQL",
    "ssh": "SSH",
    "ssl": "SSL",
    "sso": "SSO",
    "url": "URL",
    "waf": "WAF",
    "wan": "WAN",
    "warp": "WARP",
}


def _catalogue() -> list[dict[str, Any]]:
    scopes = []
    for category, resource_type, resources in RESOURCES:
        for entry in resources.split():
            resource, _, actions = entry.partition(":")
            for action in (actions or "read,write").split(","):
                scopes.append(
                    {
                        "id": f"{resource}.{action}",
                        "name": f"{_display_name(resource)} {_display_name(action.replace('_', '-'))}",
                        "category": category,
                        "scopes": [resource_type],
                    }
                )
    return scopes


def _display_name(slug: str) -> str:
    return " ".join(SPELLINGS.get(word, word.capitalize()) for word in slug.split("-"))


OAUTH_SCOPES = _catalogue()
