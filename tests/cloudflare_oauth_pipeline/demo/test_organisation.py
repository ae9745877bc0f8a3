"""The organisation of the demo: deterministic, mostly in order, with every kind of risk and gap."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from cloudflare_oauth_pipeline.demo.organisation import ACCOUNTS, demo_organisation
from cloudflare_oauth_pipeline.demo.risky_clients import RISKY
from cloudflare_oauth_pipeline.fake_api.scopes import OAUTH_SCOPES, PROTOCOL_SCOPES

ORGANISATION = demo_organisation()
CLIENTS = [client for account in ORGANISATION.account_ids() for client in ORGANISATION.clients(account)]
PRINT_DIGEST = """
import hashlib, json
from cloudflare_oauth_pipeline.demo.organisation import demo_organisation
organisation = demo_organisation()
listed = [organisation.accounts(), [organisation.clients(one) for one in organisation.account_ids()]]
print(hashlib.sha256(json.dumps(listed).encode()).hexdigest())
"""


def test_there_are_twelve_accounts_and_some_300_clients() -> None:
    """One account has no clients, one has exactly one and one has more than 100."""
    counts = [len(ORGANISATION.clients(account)) for account in ORGANISATION.account_ids()]

    assert len(counts) == 12
    assert 290 <= sum(counts) <= 320
    assert counts == [account.client_count for account in ACCOUNTS]
    assert 0 in counts
    assert 1 in counts
    assert max(counts) > 100


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_organisation_is_the_same_in_every_process(hash_seed: str) -> None:
    """It depends neither on the time nor on Python's hash seed."""
    listed = [ORGANISATION.accounts(), [ORGANISATION.clients(one) for one in ORGANISATION.account_ids()]]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}

    printed = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST], env=environment, capture_output=True, text=True, check=True
    )

    assert printed.stdout.strip() == hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def test_ids_are_unique_and_look_like_cloudflares() -> None:
    """Ids of accounts and clients are 32 hexadecimal characters, and none occurs twice."""
    for ids in (ORGANISATION.account_ids(), [client["client_id"] for client in CLIENTS]):
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


def test_no_client_is_older_than_the_launch() -> None:
    """Clients are created, promoted and updated in this order, from 2026-06-03 to 2026-11-20."""
    for client in CLIENTS:
        moments = [client.get(field) for field in ("created_at", "promoted_at", "updated_at")]
        known = [moment for moment in moments if moment]

        assert known == sorted(known), client
        assert all("2026-06-03" <= moment < "2026-11-21" for moment in known), client
        assert all(re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{6}Z", moment) for moment in known), client


def test_every_risky_client_is_there_once() -> None:
    """The organisation lists each risky client, with the fields that make it risky."""
    assert {client.account for client in RISKY} <= {account.key for account in ACCOUNTS}
    listed = Counter(client.get("client_name") for client in CLIENTS)
    for risky in RISKY:
        if risky.only is None and "client_name" not in risky.fields:
            assert listed[risky.name] == 1, risky
        matching = [client for client in CLIENTS if client.items() >= risky.fields.items()]
        assert matching, risky


def test_most_clients_are_ordinary() -> None:
    """A client that is not risky uses HTTPS, its own scheme or loopback, and only known scopes."""
    risky = {client.name for client in RISKY} | {None}
    ordinary = [client for client in CLIENTS if client.get("client_name") not in risky]
    known_scopes = {scope["id"] for scope in OAUTH_SCOPES} | set(PROTOCOL_SCOPES)

    assert len(ordinary) > 0.75 * len(CLIENTS)
    for client in ordinary:
        assert set(client["scopes"]) <= known_scopes, client
        assert set(client.get("optional_scopes", ())) <= set(client["scopes"]), client
        assert client["has_rotated_secret"] is False
        assert ("refresh_token" in client["grant_types"]) == ("offline_access" in client["scopes"]), client
        assert ("id_token" in client["response_types"]) == ("openid" in client["scopes"]), client
        for uri in client["redirect_uris"]:
            assert re.match(r"https://[\w.-]+\.example/|example\.[\w-]+:/|http://127\.0\.0\.1/", uri), client
        if client["visibility"] == "public":
            assert client["client_uri_verification"]["status"] == "verified", client
        if client["token_endpoint_auth_method"] == "none":
            assert all(scope.endswith(".read") for scope in client["scopes"] if "." in scope), client


def test_fields_are_absent_null_and_empty() -> None:
    """Every kind of missing value occurs, so that code that handles only one of them fails."""
    for field in ("scopes", "redirect_uris", "allowed_cors_origins"):
        assert any(field not in client for client in CLIENTS)
        assert any(client.get(field, "") is None for client in CLIENTS)
        assert any(client.get(field) == [] for client in CLIENTS)
    assert any(set(client) == {"client_id", "visibility"} for client in CLIENTS)


def test_the_catalogue_has_some_360_scopes() -> None:
    """Each scope has a unique id, a name, a category and the type of resource it acts upon."""
    ids = [scope["id"] for scope in OAUTH_SCOPES]

    assert 340 <= len(ids) <= 400
    assert len(set(ids)) == len(ids)
    assert {"account.read", "user-details.read", "workers-scripts.write", "dns.write", "cache.purge"} <= set(
        ids
    )
    for scope in OAUTH_SCOPES:
        assert set(scope) == {"id", "name", "category", "scopes"}
        assert re.fullmatch(r"[a-z0-9-]+\.[a-z_]+", scope["id"])
        assert scope["name"] and scope["category"] and scope["scopes"]
    assert {"Workers R2 Bucket Item Read", "DNS Write", "D1 Metadata Read"} <= {
        s["name"] for s in OAUTH_SCOPES
    }
