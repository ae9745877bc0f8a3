"""DuckDB's memory limit: enough for every batch, and the same between batches."""

from pathlib import Path

import duckdb
import pytest

from cloudflare_oauth import SyncSettings, events
from cloudflare_oauth.inventory import Rows
from cloudflare_oauth_pipeline.destinations.batch import Batch
from cloudflare_oauth_pipeline.destinations.duckdb_memory import (
    LEAST_MB,
    limit_for,
)
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.run.batching import batches
from cloudflare_oauth_pipeline.run.sync import sync

LIMIT = "SELECT current_setting('memory_limit')"


def as_duckdb_says(megabytes: int) -> str:
    with duckdb.connect(config={"memory_limit": f"{megabytes}MB"}) as connection:
        return str((connection.execute(LIMIT).fetchone() or [None])[0])


def batches_of(*pieces: Rows, rows: int | None = None) -> list[Batch]:
    """Return the batches of these pieces, each consumed as by a load."""
    found = []
    for batch in batches(iter(pieces), rows=rows):
        found.append(batch)
        for _ in batch:
            pass
    return found


SMALL: Rows = {"oauth_clients": [{"client_id": "client"}]}


def test_batches_of_typical_rows_get_the_least() -> None:
    """So do the only batch, each of several, and DuckDB while nothing is loaded."""
    (only,) = batches_of(SMALL)
    first, last = batches_of(SMALL, SMALL, rows=1)

    assert {limit_for(), limit_for(only), limit_for(first), limit_for(last)} == {LEAST_MB}


ROW = {"client_id": "client", "scopes": ["scope"] * 999}
CHANGE = {"document_before": "b" * 1_000, "document_after": "a" * 1_000}


@pytest.mark.parametrize("is_only", [True, False], ids=["the only batch", "one of two batches"])
@pytest.mark.parametrize(
    ("piece", "needed"),
    [({"oauth_clients": [ROW] * 1_000}, 1_000), ({"oauth_client_changes": [CHANGE] * 50_000}, 1_050)],
    ids=["long arrays", "long documents"],
)
def test_a_batch_of_long_rows_gets_the_memory_it_needs(piece: Rows, needed: int, is_only: bool) -> None:
    """It needs 1,000 bytes per row and array element, and 10 per character of a document."""
    found = batches_of(piece) if is_only else batches_of(piece, SMALL, rows=1)

    assert len(found) == (1 if is_only else 2)
    assert limit_for(found[0]) == needed
    assert is_only or limit_for(found[1]) == LEAST_MB


@pytest.mark.scale
@pytest.mark.parametrize(
    ("clients", "elements", "length", "is_unfit"),
    [(1_000, 50, 500, False), (1_000, 3, 20_000, False), (50, 5_000, 20, False), (1_000, 3, 20_000, True)],
    ids=["many long elements", "few very long elements", "very many elements", "rejected"],
)
def test_long_rows_are_loaded_in_several_batches(
    api: FakeApi, tmp_path: Path, clients: int, elements: int, length: int, is_unfit: bool
) -> None:
    """With the memory that ordinary rows need, DuckDB would fail to load them."""
    extra = {"derived_version": 7} if is_unfit else {}
    uris = [f"https://example.com/{number}".ljust(length, "x") for number in range(elements)]
    for name in "ab":
        for number in range(clients):
            api.organisation.add(account_id(name), client_id=f"client-{number}", redirect_uris=uris, **extra)
    db = tmp_path / "clients.duckdb"

    sync(
        Target(db=db, pipelines_dir=tmp_path),
        SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url),
        batch_rows=1,
    )

    with duckdb.connect(str(db)) as connection:
        table = "rejected_rows" if is_unfit else "oauth_clients__redirect_uris"
        rows = connection.execute(f"SELECT count(*) FROM cloudflare.{table}").fetchone()
    assert rows == (2 * clients * (1 if is_unfit else elements),)


@pytest.mark.parametrize("configured", [False, True], ids=["option", "dlt"])
def test_the_memory_limit_is_reset_between_batches(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: bool
) -> None:
    """The limit is the program's default, or the one that the user configured for the database."""
    db = tmp_path / "clients.duckdb"
    if configured:
        credentials = "DESTINATION__DUCKDB__CREDENTIALS"
        monkeypatch.setenv(f"{credentials}__DATABASE", str(db))
        monkeypatch.setenv(f"{credentials}__GLOBAL_CONFIG", '{"memory_limit": "333MB"}')
    for name in "abc":
        api.organisation.add(account_id(name), client_id="client")
    limits = []

    def look(event: events.Event) -> None:
        if isinstance(event, events.AccountDone):
            with duckdb.connect(str(db)) as connection:
                limits.append(connection.execute(LIMIT).fetchone())

    target = Target(db=None if configured else db, pipelines_dir=tmp_path)
    sync(target, SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url), batch_rows=1, observer=look)

    assert limits == [(as_duckdb_says(333 if configured else LEAST_MB),)] * 3
