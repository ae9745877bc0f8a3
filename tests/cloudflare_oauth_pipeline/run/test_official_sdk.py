"""`sync` loads what Cloudflare's own SDK reads from the same API."""

from pathlib import Path

import pytest
from cloudflare import Cloudflare

from cloudflare_oauth_pipeline.demo.organisation import demo_organisation
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi
from tests.support import reconstruction
from tests.support.commands import DB, Run, rows
from tests.support.warehouses import DuckDB


def test_sync_loads_what_the_official_sdk_reads(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """All accounts, clients and scopes of the demo organisation are equal, field by field."""
    with FakeApi(demo_organisation()) as api, Cloudflare(api_token=FAKE_TOKEN, base_url=api.base_url) as sdk:
        # The SDK reads a single page of clients, so that page has to hold all of them.
        api.behaviour.clients_paging = api.behaviour.clients_paging.whole()
        monkeypatch.setenv("CLOUDFLARE_BASE_URL", api.base_url)
        accounts = list(sdk.accounts.list())
        clients = {
            account.id: {
                client.client_id: reconstruction.comparable(client.to_dict(mode="json"))
                for client in sdk.iam.oauth_clients.list(account_id=account.id)
            }
            for account in accounts
        }
        scopes = [scope.to_dict() for scope in sdk.iam.oauth_scopes.list()]

        assert run("sync").exit_code == 0

    assert reconstruction.stored(DuckDB(Path(DB))) == {
        account: listed for account, listed in clients.items() if listed
    }
    assert sorted(rows("SELECT account_id, name, type, created_on FROM accounts")) == sorted(
        (account.id, account.name, account.type, account.created_on) for account in accounts
    )
    assert sorted(rows("SELECT id, name, category FROM oauth_scopes")) == sorted(
        (scope["id"], scope["name"], scope["category"]) for scope in scopes
    )
    assert sorted(rows("SELECT id, _dlt_list_idx, value FROM oauth_scopes__scopes")) == sorted(
        (scope["id"], index, value) for scope in scopes for index, value in enumerate(scope["scopes"])
    )
