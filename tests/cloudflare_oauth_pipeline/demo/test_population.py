import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from cloudflare_oauth_pipeline.demo.careless import CARELESS
from cloudflare_oauth_pipeline.demo.catalogue import OAUTH_SCOPES, PROTOCOL_SCOPES
from cloudflare_oauth_pipeline.demo.population import ACCOUNTS, demo_estate

ESTATE = demo_estate()
CLIENTS = [client for account in ESTATE.account_ids() for client in ESTATE.clients(account)]
PRINT_DIGEST = """
import hashlib, json
from cloudflare_oauth_pipeline.demo.population import demo_estate
estate = demo_estate()
listed = [estate.accounts(), [estate.clients(one) for one in estate.account_ids()]]
print(hashlib.sha256(json.dumps(listed).encode()).hexdigest())
"""


def test_there_are_twelve_accounts_and_some_300_clients():
    """One account has no clients, one has exactly one, one has more than 100."""
    counts = [len(ESTATE.clients(account)) for account in ESTATE.account_ids()]

    assert len(counts) == 12
    assert 290 <= sum(counts) <= 320
    assert counts == [account.client_count for account in ACCOUNTS]
    assert 0 in counts
    assert 1 in counts
    assert max(counts) > 100


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_estate_is_the_same_in_every_process(hash_seed):
    """Neither the time nor Python's hash seed has a part in it."""
    listed = [ESTATE.accounts(), [ESTATE.clients(one) for one in ESTATE.account_ids()]]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}

    printed = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST], env=environment, capture_output=True, text=True, check=True
    )

    assert printed.stdout.strip() == hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def test_ids_are_unique_and_look_like_cloudflares():
    """32 hexadecimal characters, for accounts and clients."""
    for ids in (ESTATE.account_ids(), [client["client_id"] for client in CLIENTS]):
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


def test_no_client_is_older_than_the_day_there_were_clients():
    """Created, promoted and updated in this order, from 2026-06-03 to 2026-11-20."""
    for client in CLIENTS:
        moments = [client.get(field) for field in ("created_at", "promoted_at", "updated_at")]
        known = [moment for moment in moments if moment]

        assert known == sorted(known), client
        assert all("2026-06-03" <= moment < "2026-11-21" for moment in known), client
        assert all(re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{6}Z", moment) for moment in known), client


def test_every_carelessness_is_there_once():
    """Each careless client is in its account, with what is wrong with it."""
    assert {client.account for client in CARELESS} <= {account.key for account in ACCOUNTS}
    listed = Counter(client.get("client_name") for client in CLIENTS)
    for careless in CARELESS:
        if careless.only is None and "client_name" not in careless.fields:
            assert listed[careless.name] == 1, careless
        matching = [client for client in CLIENTS if client.items() >= careless.fields.items()]
        assert matching, careless


def test_most_clients_are_in_order():
    """A client that is not among the careless uses https or its own scheme, and few known scopes."""
    careless = {client.name for client in CARELESS} | {None}
    orderly = [client for client in CLIENTS if client.get("client_name") not in careless]
    known_scopes = {scope["id"] for scope in OAUTH_SCOPES} | set(PROTOCOL_SCOPES)

    assert len(orderly) > 0.75 * len(CLIENTS)
    for client in orderly:
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


def test_fields_are_absent_null_and_empty():
    """A reader that knows only one kind of nothing is found out."""
    for field in ("scopes", "redirect_uris", "allowed_cors_origins"):
        assert any(field not in client for client in CLIENTS)
        assert any(client.get(field, "") is None for client in CLIENTS)
        assert any(client.get(field) == [] for client in CLIENTS)
    assert any(set(client) == {"client_id", "visibility"} for client in CLIENTS)


def test_the_catalogue_has_some_360_scopes():
    """Each has an id, a name, a category and what it acts upon; most ids end in `.read` or `.write`."""
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
