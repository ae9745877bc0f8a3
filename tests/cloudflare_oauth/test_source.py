"""The dlt source in a plain dlt pipeline: the tables equal what the API returns."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cloudflare_oauth import ConfigurationError, Limits, cloudflare_oauth
from cloudflare_oauth_pipeline.fake_api import (
    ABSENT,
    FAKE_TOKEN,
    FakeApi,
    Organisation,
    Paging,
    ResultInfo,
    faults,
)
from tests.support import reconstruction
from tests.support.client_settings import LIMITS
from tests.support.warehouses import DuckDB

ACCOUNTS = ("a" * 32, "b" * 32)
HOSTILE = [
    "",
    " ",
    "'); DROP TABLE oauth_clients; --",
    "<img src=x onerror=alert(1)>",
    '=HYPERLINK("https://evil.example")',
    "\x00 and \x1b[31m",
    "Ω ≈ ç √ ∫ 🦆 \u202e \u2028",
    "x" * 70_000,
    "null",
    "2026-06-03T00:00:00Z",
    "NaN",
    "\\N",
    '{"json": true}',
    "\ufeffbom",
    "\uf026",
]


def load(api: FakeApi, folder: Path, **arguments: Any) -> Path:
    """Run the source in a pipeline as its users do; returns the DuckDB file."""
    db = folder / "clients.duckdb"
    pipeline = dlt.pipeline(
        "test",
        pipelines_dir=str(folder / arguments.pop("home", "dlt")),
        destination=dlt.destinations.duckdb(str(db)),
        dataset_name="cloudflare",
    )
    arguments.setdefault("limits", LIMITS)
    limit = arguments.pop("limit", None)
    source = cloudflare_oauth(api_token=FAKE_TOKEN, base_url=api.base_url, **arguments)
    pipeline.run(source if limit is None else source.add_limit(limit))
    return db


def rows(db: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(db), read_only=True) as connection:
        connection.sql("SET search_path = 'cloudflare'")
        return connection.sql(query).fetchall()


def listed(organisation: Organisation) -> reconstruction.Organisation:
    return {
        account: {one["client_id"]: reconstruction.comparable(one) for one in organisation.clients(account)}
        for account in organisation.account_ids()
        if organisation.clients(account)
    }


texts = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs", "Co"]), max_size=20)
arrays = st.sampled_from([ABSENT, None, []]) | st.lists(texts, max_size=4)
moments = st.sampled_from([ABSENT, None, "2026-06-03T00:00:00Z", "2026-06-03T02:00:00.5+02:00"])
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts
clients = st.fixed_dictionaries(
    {},
    optional={
        "visibility": st.sampled_from(["public", "private", "something new"]),
        "client_name": st.none() | texts,
        "client_uri": texts,
        "has_rotated_secret": st.none() | st.booleans(),
        "created_at": moments,
        "updated_at": moments,
        "client_uri_verification": st.sampled_from([None, {}])
        | st.fixed_dictionaries({}, optional={"status": texts, "text": st.none() | texts}),
        "new_text": texts,
        "new_flag": st.none() | st.booleans(),
        "new_number": st.integers(-(2**63), 2**63 - 1),
        "new_object": st.fixed_dictionaries({}, optional={"inner": texts}),
        **dict.fromkeys(reconstruction.ARRAYS, arrays),
    },
)
organisations = st.lists(
    st.dictionaries(st.text("xyz-", min_size=1, max_size=3), clients, max_size=25), min_size=2, max_size=2
)


@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(first=organisations, second=organisations)
def test_the_tables_equal_the_api_for_any_organisation(
    first: list[dict[str, dict[str, Any]]], second: list[dict[str, dict[str, Any]]]
) -> None:
    """Promise 1, row for row, for a first load and for any load after it.

    The organisations have null, missing and empty arrays, undeclared fields, any text, and one `client_id` in
    two accounts.
    """
    with FakeApi() as api, tempfile.TemporaryDirectory() as folder:
        for accounts in (first, second):
            for account, documents in zip(ACCOUNTS, accounts, strict=True):
                if account in api.organisation.account_ids():
                    api.organisation.remove_account(account)
                api.organisation.add_account(account)
                for client_id, fields in documents.items():
                    sent = {name: value for name, value in fields.items() if value is not ABSENT}
                    api.organisation.add(account, client_id=client_id, **sent)

            db = load(api, Path(folder), max_delete_fraction=1)

            assert reconstruction.stored(DuckDB(db)) == listed(api.organisation)
            assert reconstruction.replayed(DuckDB(db)) == listed(api.organisation)


def test_an_undeclared_array_becomes_a_child_table_with_the_clients_keys(
    api: FakeApi, tmp_path: Path
) -> None:
    """A field that the API adds later is loaded without a change to the source."""
    api.organisation.add(ACCOUNTS[0], client_id="1", audiences=["x", "y"], tier=3, owners=[{"mail": "m"}])

    db = load(api, tmp_path)

    query = "SELECT account_id, client_id, value, _dlt_list_idx FROM oauth_clients__audiences ORDER BY 4"
    assert rows(db, query) == [(ACCOUNTS[0], "1", "x", 0), (ACCOUNTS[0], "1", "y", 1)]
    assert rows(db, "SELECT tier FROM oauth_clients") == [(3,)]
    assert rows(db, "SELECT client_id, mail FROM oauth_clients__owners") == [("1", "m")]


def test_a_value_that_no_column_can_hold_is_rejected_and_not_rounded(api: FakeApi, tmp_path: Path) -> None:
    """A number of more than 64 bits or half a surrogate pair is rejected; the rest of the row is loaded."""
    api.organisation.add(ACCOUNTS[0], client_id="1", tier=2**63 - 1)
    api.organisation.add(ACCOUNTS[0], client_id="2", tier=10**20)
    api.organisation.add(ACCOUNTS[0], client_id="3", client_name="\ud800")

    db = load(api, tmp_path)

    query = "SELECT client_id, tier, client_name FROM oauth_clients ORDER BY 1"
    assert rows(db, query) == [("1", 2**63 - 1, None), ("2", None, None), ("3", None, None)]
    assert sorted(rows(db, "SELECT reason FROM rejected_rows")) == [
        ("client_name: half a surrogate pair, which is not text; the rest of the row was loaded",),
        ("tier: a number of more than 64 bits; the rest of the row was loaded",),
    ]


def test_every_table_and_column_is_described(api: FakeApi, tmp_path: Path) -> None:
    """All of them exist after a first load that found no client."""
    api.organisation.add_account(ACCOUNTS[0])
    source = cloudflare_oauth(api_token=FAKE_TOKEN, base_url=api.base_url)

    db = load(api, tmp_path)

    tables = source.schema.data_tables()
    assert all(table["description"].startswith("Each row is ") for table in tables)
    assert all(column["description"] for table in tables for column in table["columns"].values())
    for table in tables:
        stored = {name for (name, *_) in rows(db, f"DESCRIBE {table['name']}")}
        assert stored >= set(table["columns"])


def test_an_unchanged_organisation_writes_only_account_syncs(api: FakeApi, tmp_path: Path) -> None:
    """Promise 5: all other rows stay as they are, including their `_dlt_load_id`."""
    for account in ACCOUNTS:
        for number in range(30):
            api.organisation.add(
                account, client_id=str(number), scopes=["b", "a"], redirect_uris=["https://x/"]
            )
    api.organisation.put(ACCOUNTS[0], {"no": "id"})
    db = load(api, tmp_path)
    names = ["accounts", "oauth_clients", "oauth_client_changes", "oauth_scopes", "rejected_rows"]
    names += ["oauth_clients__scopes", "oauth_clients__redirect_uris"]
    before = {name: sorted(rows(db, f"SELECT * FROM {name}"), key=repr) for name in names}
    for account in ACCOUNTS:
        api.organisation.shuffle(account, 1)
        api.organisation.change(account, "1", scopes=["a", "b"])

    load(api, tmp_path)

    assert {name: sorted(rows(db, f"SELECT * FROM {name}"), key=repr) for name in names} == before
    assert rows(db, "SELECT count(*), count(DISTINCT sync_id) FROM account_syncs") == [(4, 2)]


def test_a_change_and_its_reversal_are_two_changes(api: FakeApi, tmp_path: Path) -> None:
    """Promise 4: the log keeps both, although the client ends as it began."""
    api.organisation.add(ACCOUNTS[0], client_id="1", client_name="one")
    db = load(api, tmp_path)
    for name in ("two", "one"):
        api.organisation.change(ACCOUNTS[0], "1", client_name=name)
        load(api, tmp_path)

    changes = [row["change"] for row in reconstruction.log(DuckDB(db))]
    assert changes == ["baseline", "updated", "updated"]


def test_an_accounts_last_client_is_deleted_and_comes_back_as_created(api: FakeApi, tmp_path: Path) -> None:
    """Promise 3; in an account that an earlier sync read as empty, the first client is `created`, too."""
    api.organisation.add(ACCOUNTS[0], client_id="1", scopes=["a"])
    api.organisation.add_account(ACCOUNTS[1])
    db = load(api, tmp_path)
    api.organisation.remove(ACCOUNTS[0], "1")
    api.organisation.add(ACCOUNTS[1], client_id="2")
    load(api, tmp_path)

    assert rows(db, "SELECT client_id FROM oauth_clients") == [("2",)]
    assert rows(db, "SELECT count(*) FROM oauth_clients__scopes") == [(0,)]

    api.organisation.add(ACCOUNTS[0], client_id="1", scopes=["a"])
    load(api, tmp_path)

    logged = {(row["client_id"], row["change"]) for row in reconstruction.log(DuckDB(db))}
    assert logged == {("1", "baseline"), ("1", "deleted"), ("1", "created"), ("2", "created")}


def test_an_incomplete_listing_adds_and_updates_but_deletes_nothing(api: FakeApi, tmp_path: Path) -> None:
    """Promise 2; its account has no complete baseline yet, so new clients are logged as `baseline`."""
    api.organisation.add(ACCOUNTS[0], client_id="1", client_name="one")
    api.behaviour.result_info_of[ACCOUNTS[0]] = ResultInfo.off_by(1)
    db = load(api, tmp_path)
    api.organisation.change(ACCOUNTS[0], "1", client_name="uno")
    api.organisation.add(ACCOUNTS[0], client_id="2")
    load(api, tmp_path)
    api.organisation.remove(ACCOUNTS[0], "1")
    load(api, tmp_path)

    assert rows(db, "SELECT client_id, client_name FROM oauth_clients ORDER BY 1") == [
        ("1", "uno"),
        ("2", None),
    ]
    assert {row["change"] for row in reconstruction.log(DuckDB(db))} == {"baseline", "updated"}
    assert rows(db, "SELECT DISTINCT status FROM account_syncs") == [("incomplete",)]


@pytest.mark.variants(4)
@pytest.mark.parametrize(
    ("fault", "status", "http_status"),
    [
        (faults.forbidden(), "forbidden", 403),
        (faults.not_found(), "not_found", 404),
        (faults.error(500), "failed", 500),
        (faults.html(502), "failed", 502),
        (faults.truncated(), "failed", None),
        (faults.reset(), "failed", None),
        (faults.never(), "failed", None),
        (faults.unsuccessful(), "failed", 200),
        (faults.wrong_result({}), "failed", 200),
        (faults.redirect("https://elsewhere.example/"), "failed", 302),
    ],
)
def test_a_failing_account_fails_alone_and_keeps_everything(
    api: FakeApi, tmp_path: Path, fault: faults.Fault, status: str, http_status: int | None
) -> None:
    """Promises 2 and 9: its status is in `account_syncs`, and the other account is up to date."""
    for account in ACCOUNTS:
        api.organisation.add(account, client_id="1")
    db = load(api, tmp_path)
    for account in ACCOUNTS:
        api.organisation.remove(account, "1")
    api.behaviour.break_(ACCOUNTS[0], fault)

    load(api, tmp_path, limits=Limits(read_seconds=0.2, attempts=2, first_backoff_seconds=0.001))

    assert rows(db, "SELECT account_id, client_id FROM oauth_clients") == [(ACCOUNTS[0], "1")]
    last = "SELECT account_id, status, http_status FROM account_syncs ORDER BY sync_id DESC, 1 LIMIT 2"
    assert rows(db, last) == [(ACCOUNTS[0], status, http_status), (ACCOUNTS[1], "complete", None)]


@pytest.mark.parametrize("seed", range(3))
def test_faults_in_a_tenth_of_the_responses_change_nothing(api: FakeApi, tmp_path: Path, seed: int) -> None:
    """Despite resets, errors, truncated bodies, HTML and rate limits, two loads are exact."""
    api.behaviour.clients_paging = Paging.capped(5)
    for account in ACCOUNTS:
        for number in range(60):
            api.organisation.add(account, client_id=str(number), redirect_uris=[f"https://{number}.example/"])
    api.behaviour.fail_randomly(*faults.TEMPORARY, share=0.1, seed=seed, at_most_in_a_row=4)

    db = load(api, tmp_path)
    first = reconstruction.stored(DuckDB(db)) == listed(api.organisation)
    for account in ACCOUNTS:
        api.organisation.remove(account, "7")
        api.organisation.change(account, "8", client_name="renamed")
    load(api, tmp_path)

    assert first
    assert (
        reconstruction.stored(DuckDB(db)) == reconstruction.replayed(DuckDB(db)) == listed(api.organisation)
    )
    changes = sorted(row["change"] for row in reconstruction.log(DuckDB(db)))
    assert changes == ["baseline"] * 120 + ["deleted"] * 2 + ["updated"] * 2
    assert rows(db, "SELECT sum(retries) > 0 FROM account_syncs") == [(True,)]


def test_a_new_machine_needs_only_the_destination(api: FakeApi, tmp_path: Path) -> None:
    """The stored state is read from the destination, not from dlt's local folder."""
    api.organisation.add(ACCOUNTS[0], client_id="1")
    api.organisation.add(ACCOUNTS[0], client_id="2")
    load(api, tmp_path)
    api.organisation.remove(ACCOUNTS[0], "1")

    db = load(api, tmp_path, home="another")

    assert rows(db, "SELECT client_id FROM oauth_clients") == [("2",)]
    assert sorted(row["change"] for row in reconstruction.log(DuckDB(db))) == [
        "baseline",
        "baseline",
        "deleted",
    ]


@pytest.mark.parametrize("lost", ["oauth_client_changes", "oauth_clients"])
def test_a_table_emptied_by_a_killed_load_is_restored(api: FakeApi, tmp_path: Path, lost: str) -> None:
    """Each table is diffed against its own rows; a row in `account_syncs` does not count as a baseline."""
    api.organisation.add(ACCOUNTS[0], client_id="1", scopes=["a", "b"])
    api.organisation.add(ACCOUNTS[0], client_id="2")
    db = load(api, tmp_path)
    before = reconstruction.stored(DuckDB(db)), reconstruction.replayed(DuckDB(db))
    with duckdb.connect(str(db)) as connection:
        for (table,) in connection.sql(
            f"SELECT table_name FROM duckdb_tables() WHERE schema_name = 'cloudflare' "
            f"AND (table_name = '{lost}' OR table_name LIKE '{lost}\\_\\_%' ESCAPE '\\')"
        ).fetchall():
            connection.sql(f"DELETE FROM cloudflare.{table}")

    load(api, tmp_path)

    assert (reconstruction.stored(DuckDB(db)), reconstruction.replayed(DuckDB(db))) == before
    assert sorted(row["change"] for row in reconstruction.log(DuckDB(db))) == ["baseline", "baseline"]


def test_without_a_pipeline_every_client_is_new(api: FakeApi) -> None:
    """The source can be iterated on its own."""
    api.organisation.add(ACCOUNTS[0], client_id="1")
    source = cloudflare_oauth(api_token=FAKE_TOKEN, base_url=api.base_url)

    assert [row["client_id"] for row in source.resources["oauth_clients"]] == ["1"]


@pytest.mark.parametrize("most", [0, 1, 2, 3])
def test_a_limit_is_one_of_accounts(api: FakeApi, tmp_path: Path, most: int) -> None:
    """Each is read whole, the others not at all; a later run without a limit loads the rest."""
    for account in ("a" * 32, "b" * 32, "c" * 32):
        for number in range(3):
            api.organisation.add(account, client_id=f"client-{number}")

    db = load(api, tmp_path, limit=most)

    assert rows(db, "SELECT count(*), count(DISTINCT account_id) FROM oauth_clients") == [(3 * most, most)]
    assert len({request.account_id for request in api.requests if request.account_id}) == most
    load(api, tmp_path)
    assert rows(db, "SELECT count(*) FROM oauth_clients") == [(9,)]
    assert rows(db, "SELECT DISTINCT change FROM oauth_client_changes") == [("baseline",)]


@pytest.mark.parametrize("limit", [{"max_time": 1.0}, {"max_items": 5, "count_rows": True}])
def test_a_limit_of_anything_else_is_refused(limit: dict[str, Any]) -> None:
    """An account that is read in part could not be told from one that has lost clients."""
    with pytest.raises(ConfigurationError, match="a number of accounts"):
        cloudflare_oauth().add_limit(**limit)


PARTIAL: list[tuple[Callable[[FakeApi], object], str]] = [
    (lambda api: api.behaviour.forbid("b" * 32), ": forbidden, Cloudflare refused (403"),
    (lambda api: api.behaviour.break_("b" * 32, faults.error(500)), ": failed, Cloudflare is in trouble"),
    (lambda api: api.organisation.add("b" * 32, client_id=""), "could not be loaded"),
]


@pytest.mark.parametrize(("spoil", "told"), PARTIAL, ids=[told for _, told in PARTIAL])
def test_a_partial_run_warns_or_raises_as_asked(
    api: FakeApi,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[FakeApi], object],
    told: str,
) -> None:
    """By default the log names the account and the reason; `raise` loads nothing at all."""
    for account in ACCOUNTS:
        api.organisation.add(account, client_id="client")
    spoil(api)

    with pytest.raises(PipelineStepFailed, match="nothing was loaded, because on_partial is 'raise'"):
        load(api, tmp_path, on_partial="raise")
    with duckdb.connect(str(tmp_path / "clients.duckdb"), read_only=True) as connection:
        tables = {name for (name,) in connection.sql("SELECT table_name FROM duckdb_tables()").fetchall()}
        if "oauth_clients" in tables:
            assert connection.sql("SELECT count(*) FROM cloudflare.oauth_clients").fetchall() == [(0,)]
    caplog.clear()
    db = load(api, tmp_path)

    assert ("a" * 32, "client") in rows(db, "SELECT account_id, client_id FROM oauth_clients")
    (message,) = [record.getMessage() for record in caplog.records if record.name.startswith("cloudflare_oa")]
    assert "this sync is partial: account " + "b" * 32 in message
    assert told in message


def test_a_complete_run_warns_of_nothing(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever `on_partial` is."""
    api.organisation.add(ACCOUNTS[0], client_id="client")

    load(api, tmp_path, on_partial="raise")

    assert [record for record in caplog.records if record.name.startswith("cloudflare_oauth")] == []
    with pytest.raises(ConfigurationError, match="'warn' or 'raise'"):
        cloudflare_oauth(on_partial="ignore")  # type: ignore[arg-type]
