"""Arrow columns and dlt's rows end in the same tables: declared rows load as columns, all others as rows."""

from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest

from cloudflare_oauth import SyncSettings, cloudflare_oauth
from cloudflare_oauth.inventory import Rows
from cloudflare_oauth.records.tables import ARRAYS, TABLES
from cloudflare_oauth_pipeline.destinations import arrow_loader, arrow_tables
from cloudflare_oauth_pipeline.destinations.batch import Piece
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, Organisation, account_id
from cloudflare_oauth_pipeline.run.sync import sync

ONE, OTHER, PLAIN = account_id("one"), account_id("other"), account_id("plain")
# These differ in every run of the same data.
VOLATILE = {"_dlt_id", "_dlt_load_id", "_dlt_root_id", "_dlt_parent_id"}
VOLATILE |= {"observed_at", "sync_id", "started_at", "finished_at", "waited_seconds"}

AWKWARD: dict[str, dict[str, Any]] = {
    "repeated": {"scopes": ["b", "a", "b"], "redirect_uris": ["https://a", "https://a"]},
    "null-in-array": {"redirect_uris": ["https://a", None, "https://b"], "scopes": [None]},
    "empty": {"redirect_uris": [], "client_name": "", "scopes": []},
    "absent": {"redirect_uris": None, "client_uri_verification": None, "promoted_at": None},
    "half-an-object": {"client_uri_verification": {"status": "failed"}},
    "empty-object": {"client_uri_verification": {}},
    "hostile": {"client_name": "'); DROP TABLE oauth_clients; --\n\x00\u202e" + "é" * 300},
    "offset": {"created_at": "2026-06-01T02:03:04.5+02:00", "updated_at": "2026-06-01T00:00:00Z"},
    "unknown-field": {"unknown_yet": {"deep": [1, 2]}, "scopes": ["a"]},
    "unknown-inside": {"client_uri_verification": {"status": "verified", "method": "dns"}},
}


def fill(organisation: Organisation) -> None:
    for number, (client_id, fields) in enumerate(AWKWARD.items()):
        organisation.add(ONE if number % 2 else OTHER, client_id=client_id, **fields)
        if not client_id.startswith("unknown"):
            organisation.add(PLAIN, client_id=client_id, **fields)
    for number in range(7):
        organisation.add(ONE, client_id=f"plain-{number}", scopes=["zone.read", f"scope-{number}"])


def change(organisation: Organisation) -> None:
    organisation.change(ONE, "plain-0", scopes=["zone.read"], redirect_uris=[])
    organisation.change(ONE, "plain-1", unknown_yet={"deep": [3]})
    organisation.remove(ONE, "plain-2")
    organisation.change(PLAIN, "hostile", client_name="'; --")
    organisation.add(OTHER, client_id="new", redirect_uris=["https://new"])


def by_row(db: Path, api: FakeApi) -> None:
    """Load the source with a plain dlt pipeline, row by row."""
    pipeline = dlt.pipeline(
        "by_row",
        destination=dlt.destinations.duckdb(str(db)),
        dataset_name="cloudflare",
        pipelines_dir=str(db.parent / "by_row"),
    )
    pipeline.run(cloudflare_oauth(api_token=FAKE_TOKEN, base_url=api.base_url))


def by_column(db: Path, api: FakeApi) -> None:
    """Load the source with `sync`, as Arrow columns."""
    target = Target(db=db, pipelines_dir=db.parent / "by_column")
    sync(target, SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url))


def content(db: Path) -> dict[str, Any]:
    """Return the columns, types and rows of each table, and each array element with its client."""
    with duckdb.connect(str(db), read_only=True) as connection:
        connection.sql("SET search_path = 'cloudflare'")
        tables = [*TABLES, *(f"oauth_clients__{array}" for array in ARRAYS), "oauth_scopes__scopes"]
        found: dict[str, Any] = {}
        for table in tables:
            columns = sorted(row[:2] for row in connection.execute(f"DESCRIBE {table}").fetchall())
            stable = ", ".join(f'"{name}"' for name, _ in columns if name not in VOLATILE)
            found[table] = (
                columns,
                sorted(map(str, connection.execute(f"SELECT {stable} FROM {table}").fetchall())),
            )
        for array in ARRAYS:
            found[f"{array} of"] = connection.execute(
                f"SELECT r.client_id, a.client_id, a._dlt_list_idx, a.value FROM oauth_clients__{array} AS a "
                "LEFT JOIN oauth_clients AS r ON r._dlt_id = a._dlt_root_id AND r._dlt_id = a._dlt_parent_id "
                "ORDER BY ALL"
            ).fetchall()
            ids = f"SELECT count(*) = count(DISTINCT _dlt_id) FROM oauth_clients__{array}"
            assert connection.execute(ids).fetchall() == [(True,)]
        return found


@pytest.mark.scale
@pytest.mark.parametrize("rows_at_once", [2, arrow_tables.ROWS_AT_ONCE])
def test_both_ways_end_in_the_same_tables(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    """This holds for a first sync and for one with changes and removals, with every kind of value."""
    monkeypatch.setattr(arrow_tables, "ROWS_AT_ONCE", rows_at_once)
    row_db, column_db = tmp_path / "row.duckdb", tmp_path / "column.duckdb"
    fill(api.organisation)
    by_row(row_db, api)
    by_column(column_db, api)
    assert content(column_db) == content(row_db)

    change(api.organisation)
    by_row(row_db, api)
    by_column(column_db, api)
    assert content(column_db) == content(row_db)


def test_only_rows_with_undeclared_fields_are_loaded_by_row(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this, the test above might compare one way with itself."""
    left: list[str] = []
    take = arrow_loader.ArrowFiles.take

    def watched(self: arrow_loader.ArrowFiles, piece: Piece) -> Rows:
        rest = take(self, piece)
        left.extend(row["client_id"] for row in rest.get("oauth_clients", []))
        assert not rest.get("oauth_client_changes")
        return rest

    monkeypatch.setattr(arrow_loader.ArrowFiles, "take", watched)
    # What is new to the dataset is appended.
    for account in (ONE, OTHER, PLAIN):
        api.organisation.add(account, client_id="known")
    by_column(tmp_path / "column.duckdb", api)
    assert not left
    fill(api.organisation)

    by_column(tmp_path / "column.duckdb", api)

    assert sorted(left) == ["unknown-field", "unknown-inside"]
