"""DuckDB gets more memory for a sync's only batch, and never keeps what an earlier batch took."""

from pathlib import Path

import dlt
import duckdb
import pytest

from cloudflare_oauth import events
from cloudflare_oauth_pipeline.demo import DEMO_TOKEN, DemoServer, account_id
from cloudflare_oauth_pipeline.destination import open_pipeline
from cloudflare_oauth_pipeline.duckdb_memory import ONE_OF_SEVERAL_BATCHES, THE_ONLY_BATCH, DuckDBMemory
from cloudflare_oauth_pipeline.sync import sync
from cloudflare_oauth_pipeline.target import Target

LIMIT = "SELECT current_setting('memory_limit')"


def limit_of(pipeline: dlt.Pipeline) -> str:
    with pipeline.sql_client() as client:
        return str((client.execute_sql(LIMIT) or [[None]])[0][0])


def as_duckdb_says(limit: str) -> str:
    with duckdb.connect(config={"memory_limit": limit}) as connection:
        return str((connection.execute(LIMIT).fetchone() or [None])[0])


def test_the_only_batch_gets_more(tmp_path: Path) -> None:
    """As soon as all is read, and nothing was loaded."""
    with open_pipeline(Target(db=tmp_path / "clients.duckdb", pipelines_dir=tmp_path)) as pipeline:
        pieces = DuckDBMemory(pipeline).while_reading(iter([{}]))
        next(pieces)
        assert limit_of(pipeline) == as_duckdb_says(ONE_OF_SEVERAL_BATCHES)
        assert list(pieces) == []
        assert limit_of(pipeline) == as_duckdb_says(THE_ONLY_BATCH)


def test_the_last_of_several_batches_does_not(tmp_path: Path) -> None:
    """What the earlier ones left needs its place, too."""
    with open_pipeline(Target(db=tmp_path / "clients.duckdb", pipelines_dir=tmp_path)) as pipeline:
        memory = DuckDBMemory(pipeline)
        pieces = memory.while_reading(iter([{}, {}]))
        next(pieces)
        memory.after_load()
        assert len(list(pieces)) == 1
        assert limit_of(pipeline) == as_duckdb_says(ONE_OF_SEVERAL_BATCHES)


@pytest.mark.parametrize("configured", [False, True], ids=["by option", "by dlt"])
def test_between_batches_the_limit_is_as_it_was(
    api: DemoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: bool
) -> None:
    """Ours; or, of a database that the user has configured, the one that they gave it."""
    db = tmp_path / "clients.duckdb"
    if configured:
        credentials = "DESTINATION__DUCKDB__CREDENTIALS"
        monkeypatch.setenv(f"{credentials}__DATABASE", str(db))
        monkeypatch.setenv(f"{credentials}__GLOBAL_CONFIG", '{"memory_limit": "333MB"}')
    for name in "abc":
        api.estate.add(account_id(name), client_id="client")
    limits = []

    def look(event: events.Event) -> None:
        if isinstance(event, events.AccountDone):
            with duckdb.connect(str(db)) as connection:
                limits.append(connection.execute(LIMIT).fetchone())

    target = Target(db=None if configured else db, pipelines_dir=tmp_path)
    sync(target, api_token=DEMO_TOKEN, base_url=api.base_url, batch_rows=1, observer=look)

    assert limits == [(as_duckdb_says("333MB" if configured else ONE_OF_SEVERAL_BATCHES),)] * 3
