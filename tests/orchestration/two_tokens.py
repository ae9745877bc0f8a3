"""Two tokens that see some of the same accounts, each at an API of its own, and one dataset for both."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FakeApi, account_id
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.client_settings import settings_for
from tests.support.warehouses import Postgres, Rows

A, B, C, D = sorted(map(account_id, "abcd"))
SEEN = {"apac": (B, C, D), "emea": (A, B, C)}
TOKENS = {"apac": "hush-apac", "emea": "hush-emea"}


@dataclass
class TwoTokens:
    """The APIs by the names of their tokens, and the dataset."""

    apis: dict[str, FakeApi]
    warehouse: Postgres

    def accounts(self) -> dict[str, int]:
        """The number of clients by account, as the dataset has them."""
        return dict(Counter(row["account_id"] for row in self.warehouse.rows("oauth_clients")))

    def content(self) -> dict[str, Rows]:
        """Return all tables except `account_syncs`, where a killed sync may have rows of its own."""
        return without_account_syncs(self.warehouse.content())

    def revoke(self, token: str) -> None:
        """From now on its API refuses this token."""
        self.apis[token].behaviour.tokens.clear()

    def replace_token(self, token: str, value: str) -> None:
        """From now on its API accepts this value instead."""
        self.apis[token].behaviour.tokens = {value}


def without_account_syncs(content: dict[str, Rows]) -> dict[str, Rows]:
    """All other tables."""
    return {name: rows for name, rows in content.items() if name != "account_syncs"}


def fill(api: FakeApi, accounts: tuple[str, ...]) -> None:
    """Add the accounts with the clients that they have at every API."""
    for account in accounts:
        api.organisation.add_account(account, name=f"Account {account[:4]}")
        for number in range(3):
            # What is undeclared is not appended, but staged and merged by dlt.
            undeclared = {"not_declared": ["x"]} if account == A else {}
            api.organisation.add(
                account, client_id=f"{account[:4]}-{number}", scopes=["zone.read"], **undeclared
            )


@contextmanager
def two_tokens(server: Postgres, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoTokens]:
    """Set the variables that the examples read."""
    warehouse = server.emptied(folder.name)
    for name, value in warehouse.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
    monkeypatch.setenv("CLOUDFLARE_OAUTH_SHARDS", "3")
    with ExitStack() as running:
        apis = {token: running.enter_context(FakeApi()) for token in TOKENS}
        for token, api in apis.items():
            fill(api, SEEN[token])
            api.behaviour.tokens = {TOKENS[token]}
            monkeypatch.setenv(f"CLOUDFLARE_API_TOKEN_{token.upper()}", TOKENS[token])
            monkeypatch.setenv(f"CLOUDFLARE_BASE_URL_{token.upper()}", api.base_url)
        yield TwoTokens(apis, warehouse)


def content_of_one_sync(server: Postgres, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Rows]:
    """What one sync of all the accounts writes into an empty dataset."""
    warehouse = server.emptied(f"{folder.name}-whole")
    with monkeypatch.context() as changed, FakeApi() as api:
        for name, value in warehouse.environment.items():
            changed.setenv(name, value)
        fill(api, (A, B, C, D))
        target = Target(destination=warehouse.destination, pipelines_dir=folder / "whole")
        assert sync(target, settings_for(api)).status == "complete"
    return warehouse.content()
