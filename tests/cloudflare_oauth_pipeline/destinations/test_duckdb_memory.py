"""DuckDB gets more memory for a sync's only batch, and never keeps what an earlier batch took."""

from itertools import islice
from pathlib import Path

import dlt
import duckdb
import pytest

from cloudflare_oauth import events
from cloudflare_oauth.inventory.run import Rows
from cloudflare_oauth_pipeline.destinations.duckdb_memory import (
    ONE_OF_SEVERAL_BATCHES_MB,
    THE_ONLY_BATCH_MB,
    DuckDBMemory,
)
from cloudflare_oauth_pipeline.destinations.pipeline import open_pipeline
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.run.sync import sync

LIMIT = "SELECT current_setting('memory_limit')"


def limit_of(pipeline: dlt.Pipeline) -> str:
    with pipeline.sql_client() as client:
        return str((client.execute_sql(LIMIT) or [[None]])[0][0])


def as_duckdb_says(megabytes: int) -> str:
    with duckdb.connect(config={"memory_limit": f"{megabytes}MB"}) as connection:
        return str((connection.execute(LIMIT).fetchone() or [None])[0])


def test_the_only_batch_gets_more(tmp_path: Path) -> None:
    """As soon as all is read, and nothing was loaded."""
    with open_pipeline(Target(db=tmp_path / "clients.duckdb", pipelines_dir=tmp_path)) as pipeline:
        memory = DuckDBMemory(pipeline)
        pieces = memory.while_extracted(memory.while_reading(iter([{}])))
        next(pieces)
        assert limit_of(pipeline) == as_duckdb_says(ONE_OF_SEVERAL_BATCHES_MB)
        assert list(pieces) == []
        assert limit_of(pipeline) == as_duckdb_says(THE_ONLY_BATCH_MB)


def test_the_last_of_several_batches_does_not(tmp_path: Path) -> None:
    """What the earlier ones left needs its place, too."""
    with open_pipeline(Target(db=tmp_path / "clients.duckdb", pipelines_dir=tmp_path)) as pipeline:
        memory = DuckDBMemory(pipeline)
        reading = memory.while_reading(iter([{}, {}]))
        assert len(list(memory.while_extracted(islice(reading, 1)))) == 1
        memory.after_load()
        assert len(list(memory.while_extracted(reading))) == 1
        assert limit_of(pipeline) == as_duckdb_says(ONE_OF_SEVERAL_BATCHES_MB)


ROW = {"client_id": "client", "scopes": ["scope"] * 999}
CHANGE = {"document_before": "b" * 1_000, "document_after": "a" * 1_000}


@pytest.mark.parametrize("is_only", [True, False], ids=["the only one", "one of two"])
@pytest.mark.parametrize(
    ("piece", "needed"),
    [({"oauth_clients": [ROW] * 10_000}, 500), ({"oauth_client_changes": [CHANGE] * 50_000}, 502)],
    ids=["long arrays", "long documents"],
)
def test_a_batch_of_long_rows_gets_what_it_needs(
    tmp_path: Path, piece: Rows, needed: int, is_only: bool
) -> None:
    """50 bytes for each row and each element of an array, 5 for each character of a document."""
    with open_pipeline(Target(db=tmp_path / "clients.duckdb", pipelines_dir=tmp_path)) as pipeline:
        memory = DuckDBMemory(pipeline)
        reading = memory.while_reading(iter([piece] if is_only else [piece, {}]))
        for _ in memory.while_extracted(reading if is_only else islice(reading, 1)):
            pass
        assert limit_of(pipeline) == as_duckdb_says(needed)
        memory.after_load()
        assert limit_of(pipeline) == as_duckdb_says(needed if is_only else ONE_OF_SEVERAL_BATCHES_MB)


@pytest.mark.parametrize(
    ("clients", "elements", "length", "is_unfit"),
    [(1_000, 50, 500, False), (1_000, 3, 20_000, False), (50, 5_000, 20, False), (1_000, 3, 20_000, True)],
    ids=["many long elements", "few very long ones", "very many", "rejected"],
)
def test_long_rows_are_loaded_in_several_batches(
    api: FakeApi, tmp_path: Path, clients: int, elements: int, length: int, is_unfit: bool
) -> None:
    """DuckDB would refuse them with what is enough for usual rows."""
    extra = {"created_at": "yesterday"} if is_unfit else {}
    uris = [f"https://example.com/{number}".ljust(length, "x") for number in range(elements)]
    for name in "ab":
        for number in range(clients):
            api.organisation.add(account_id(name), client_id=f"client-{number}", redirect_uris=uris, **extra)
    db = tmp_path / "clients.duckdb"

    sync(Target(db=db, pipelines_dir=tmp_path), api_token=FAKE_TOKEN, base_url=api.base_url, batch_rows=1)

    with duckdb.connect(str(db)) as connection:
        table = "rejected_rows" if is_unfit else "oauth_clients__redirect_uris"
        rows = connection.execute(f"SELECT count(*) FROM cloudflare.{table}").fetchone()
    assert rows == (2 * clients * (1 if is_unfit else elements),)


@pytest.mark.parametrize("configured", [False, True], ids=["by option", "by dlt"])
def test_between_batches_the_limit_is_as_it_was(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: bool
) -> None:
    """Ours; or, of a database that the user has configured, the one that they gave it."""
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
    sync(target, api_token=FAKE_TOKEN, base_url=api.base_url, batch_rows=1, observer=look)

    assert limits == [(as_duckdb_says(333 if configured else ONE_OF_SEVERAL_BATCHES_MB),)] * 3
