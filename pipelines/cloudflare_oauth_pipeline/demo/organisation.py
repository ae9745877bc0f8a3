"""The organisation of the demo: the accounts of a group of companies, with the OAuth clients of their teams.

Most clients are ordinary (`ordinary_clients`), some are risky (`risky_clients`). The result is deterministic.
"""

import hashlib
import random
from dataclasses import dataclass
from typing import Any

from ..fake_api.accounts_and_clients import Organisation, account_id
from .ordinary_clients import Company, base_client, in_field_order, ordinary_clients
from .risky_clients import RISKY

SEED = 20260603


@dataclass(frozen=True)
class DemoAccount:
    """An account, its company and its total number of clients, risky ones included."""

    key: str
    company: Company
    client_count: int
    created_on: str
    type: str = "standard"
    enforces_two_factor: bool = True


ACCOUNTS = (
    DemoAccount(
        "group", Company("Halden Group", "halden.example"), 46, "2017-02-14T08:11:52.104318Z", "enterprise"
    ),
    DemoAccount(
        "retail",
        Company("Halden Retail · Production", "halden-retail.example"),
        112,
        "2018-05-03T13:40:07.551200Z",
        "enterprise",
    ),
    DemoAccount(
        "staging",
        Company("Halden Retail · Staging", "halden-staging.example"),
        31,
        "2018-05-03T13:52:30.018744Z",
        enforces_two_factor=False,
    ),
    DemoAccount(
        "payments",
        Company("Halden Payments", "halden-pay.example"),
        24,
        "2019-11-20T10:05:41.730915Z",
        "enterprise",
    ),
    DemoAccount(
        "logistics",
        Company("Halden Logistics", "halden-logistics.example"),
        27,
        "2020-03-09T07:30:00.402117Z",
    ),
    DemoAccount(
        "media", Company("Médias Halden Québec", "halden-media.example"), 17, "2021-08-30T19:22:13.009341Z"
    ),
    DemoAccount(
        "labs",
        Company("Halden Labs", "halden-labs.example"),
        21,
        "2022-01-17T15:00:59.667203Z",
        enforces_two_factor=False,
    ),
    DemoAccount(
        "sandbox",
        Company("Platform Engineering Sandbox", "halden-sandbox.example"),
        14,
        "2023-06-01T09:09:09.090909Z",
        enforces_two_factor=False,
    ),
    DemoAccount(
        "foxglove",
        Company("Foxglove Analytics (acquired 2025)", "foxglove-analytics.example"),
        11,
        "2019-04-25T22:47:36.512806Z",
        enforces_two_factor=False,
    ),
    DemoAccount(
        "japan",
        Company("ハルデン・ジャパン株式会社", "halden-japan.example"),
        8,
        "2024-10-01T00:30:12.884450Z",
    ),
    DemoAccount(
        "foundation",
        Company("Halden Foundation", "halden-foundation.example"),
        1,
        "2025-02-03T11:18:44.200001Z",
    ),
    DemoAccount(
        "archive", Company("Halden Archive", "halden-archive.example"), 0, "2016-09-12T16:55:21.333777Z"
    ),
)


def demo_organisation() -> Organisation:
    """Build the organisation: 12 accounts with some 300 clients.

    The clients date from 2026-06-03, the day Cloudflare launched such clients, to 2026-11-20.
    """
    organisation = Organisation()
    for account in ACCOUNTS:
        _add_account(organisation, account)
        for client in _clients(account):
            organisation.add(account_id(account.key), **client)
    return organisation


def _add_account(organisation: Organisation, account: DemoAccount) -> None:
    document = organisation.add_account(
        account_id(account.key),
        account.company.name,
        type=account.type,
        created_on=account.created_on,
        managed_by={"parent_org_id": account_id("organisation"), "parent_org_name": "Halden Group"},
    )
    settings = document["settings"] | {
        "enforce_twofactor": account.enforces_two_factor,
        "abuse_contact_email": f"abuse@{account.company.domain}",
    }
    quota = 40 if account.type == "enterprise" else 0
    flags = {
        "enterprise_zone_quota": {"maximum": quota, "current": quota // 2, "available": quota - quota // 2}
    }
    organisation.change_account(account_id(account.key), settings=settings, legacy_flags=flags)


def _clients(account: DemoAccount) -> list[dict[str, Any]]:
    risky = [client for client in RISKY if client.account == account.key]
    # One generator per account, so that another client in one account does not change the other accounts.
    rng = random.Random(f"{SEED} {account.key}")
    named = {
        client.name: base_client(rng, account.company, client.name, keep=client.only) | client.fields
        for client in risky
    }
    for client in ordinary_clients(rng, account.company, account.client_count - len(risky)):
        named[client["client_name"]] = client
    for name, client in named.items():
        client["client_id"] = hashlib.sha256(f"{account.key} {name}".encode()).hexdigest()[:32]
    clients = [in_field_order(client) for client in named.values()]
    return sorted(clients, key=lambda client: client.get("created_at") or "")
