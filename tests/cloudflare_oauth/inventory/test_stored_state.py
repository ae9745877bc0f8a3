"""The stored state, read from a real DuckDB file that the source has loaded."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest

from cloudflare_oauth import cloudflare_oauth
from cloudflare_oauth.inventory.stored_state import (
    UNSURE,
    LoggedChange,
    StoredAccount,
    StoredState,
    read_stored_state,
)
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, ResultInfo, faults
from tests.support.client_settings import LIMITS

A, B = "a" * 32, "b" * 32


@dataclass(frozen=True)
class Stored:
    """A dataset in a DuckDB file, filled from the fake API."""

    api: FakeApi
    pipeline: dlt.Pipeline
    db: Path

    def sync(self, **arguments: Any) -> StoredState:
        """Run the source, and read back what is stored."""
        self.pipeline.run(
            cloudflare_oauth(api_token=FAKE_TOKEN, base_url=self.api.base_url, limits=LIMITS, **arguments)
        )
        return self.read()

    def read(self) -> StoredState:
        return read_stored_state(self.pipeline)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute a statement in the dataset, as another program would."""
        with duckdb.connect(str(self.db)) as connection:
            connection.sql("SET TimeZone = 'UTC'")
            connection.sql("SET search_path = 'cloudflare'")
            relation = connection.sql(statement)
            return relation.fetchall() if relation else []


@pytest.fixture
def stored(api: FakeApi, tmp_path: Path) -> Stored:
    db = tmp_path / "clients.duckdb"
    pipeline = dlt.pipeline(
        "test",
        pipelines_dir=str(tmp_path / "dlt"),
        destination=dlt.destinations.duckdb(str(db)),
        dataset_name="cloudflare",
    )
    return Stored(api, pipeline, db)


def hashes_of(account: StoredAccount) -> dict[str, str]:
    return {client_id: client.content_hash for client_id, client in account.clients.items()}


def test_without_a_pipeline_nothing_is_stored() -> None:
    """The source compares with an empty state if it is iterated by itself."""
    assert read_stored_state(None) == StoredState()


def test_a_dataset_that_does_not_exist_is_empty(stored: Stored) -> None:
    """The state is read before the first load has made any table, and reading makes none."""
    state = stored.read()

    assert (state.accounts, state.scopes, state.rejections, state.by_account) == ({}, {}, set(), {})
    assert state.documents_after(["0" * 32]) == {}
    with duckdb.connect(str(stored.db)) as connection:
        assert connection.sql("SHOW ALL TABLES").fetchall() == []


def test_after_a_sync_the_state_equals_the_tables(stored: Stored) -> None:
    """Each hash and each id is the one of its row; an unknown account is empty."""
    for client_id in "12":
        stored.api.organisation.add(A, client_id=client_id, scopes=["a"])
    stored.api.organisation.add(B, client_id="1")
    stored.api.organisation.put(B, {"no": "id"})

    state = stored.sync()

    assert state.accounts == dict(stored.sql("SELECT account_id, content_hash FROM accounts"))
    assert state.accounts.keys() == {A, B}
    assert state.scopes == dict(stored.sql("SELECT id, content_hash FROM oauth_scopes"))
    assert state.scopes
    assert state.rejections == {one for (one,) in stored.sql("SELECT rejection_id FROM rejected_rows")}
    assert len(state.rejections) == 1
    hashes: dict[str, dict[str, str]] = {A: {}, B: {}}
    logged: dict[str, dict[str, LoggedChange]] = {A: {}, B: {}}
    for account, client, content_hash in stored.sql(
        "SELECT account_id, client_id, content_hash FROM oauth_clients"
    ):
        hashes[account][client] = content_hash
    for account, client, *change in stored.sql(
        "SELECT account_id, client_id, change_id, content_hash FROM oauth_client_changes"
    ):
        logged[account][client] = LoggedChange(*change)
    for account in (A, B):
        assert hashes_of(state.account(account)) == state.account(account).known == hashes[account]
        assert state.account(account).last_changes == logged[account]
    assert [len(hashes[account]) for account in (A, B)] == [2, 1]
    assert state.account("c" * 32).known == {}


def test_the_last_change_is_the_one_that_no_other_follows(stored: Stored) -> None:
    """The chain decides, not the time: all changes here have the same one."""
    stored.api.organisation.add(A, client_id="1", client_name="one")
    stored.api.organisation.add(A, client_id="2")
    stored.sync()
    for name in ("two", "one"):
        stored.api.organisation.change(A, "1", client_name=name)
        stored.sync()
    stored.api.organisation.remove(A, "2")
    stored.sync()
    stored.sql("UPDATE oauth_client_changes SET observed_at = '2026-06-03'")

    account = stored.read().account(A)

    followed = "SELECT previous_change_id FROM oauth_client_changes WHERE previous_change_id IS NOT NULL"
    ends = stored.sql(
        "SELECT client_id, change_id, content_hash FROM oauth_client_changes "
        f"WHERE change_id NOT IN ({followed})"
    )
    assert account.last_changes == {client: LoggedChange(*change) for client, *change in ends}
    assert account.last_changes["1"].content_hash == hashes_of(account)["1"]
    assert account.last_changes["2"].content_hash is None
    assert account.known == hashes_of(account)


@pytest.mark.parametrize("table", ["oauth_clients", "oauth_scopes"])
def test_a_duplicated_row_is_unsure(stored: Stored, table: str) -> None:
    """Its hash is that of no content, so the next sync writes it again, once; other rows are certain."""
    for client_id in "12":
        stored.api.organisation.add(A, client_id=client_id)
    before = stored.sync()
    key = "client_id" if table == "oauth_clients" else "id"
    first = f"SELECT min({key}) FROM {table}"
    ((duplicated,),) = stored.sql(first)
    stored.sql(f"INSERT INTO {table} SELECT * FROM {table} WHERE {key} = ({first})")

    state = stored.read()

    if table == "oauth_clients":
        assert hashes_of(state.account(A)) == hashes_of(before.account(A)) | {duplicated: UNSURE}
        assert state.account(A).known == before.account(A).known | {duplicated: UNSURE}
    else:
        assert state.scopes == before.scopes | {duplicated: UNSURE}
    after = stored.sync()
    assert stored.sql(f"SELECT count(*) - count(DISTINCT {key}) FROM {table}") == [(0,)]
    assert (after.account(A).known, after.scopes) == (before.account(A).known, before.scopes)


@pytest.mark.parametrize(
    ("lost", "known"),
    [
        ("DELETE FROM oauth_clients WHERE client_id = '1'", {"1": UNSURE}),
        ("DELETE FROM oauth_client_changes WHERE client_id = '1'", {"1": UNSURE}),
        ("UPDATE oauth_clients SET content_hash = 'x' WHERE client_id = '1'", {"1": UNSURE}),
        ("UPDATE oauth_client_changes SET content_hash = NULL WHERE client_id = '1'", {"1": UNSURE}),
        ("DELETE FROM oauth_clients WHERE client_id = 'none'", {}),
    ],
)
def test_a_client_that_the_tables_disagree_about_is_known_but_unsure(
    stored: Stored, lost: str, known: dict[str, str]
) -> None:
    """Either table alone makes a client known, so that it can be deleted; its content is not trusted."""
    for client_id in "12":
        stored.api.organisation.add(A, client_id=client_id)
    before = stored.sync().account(A).known
    stored.sql(lost)

    assert stored.read().account(A).known == before | known


def test_a_client_that_both_tables_have_lost_is_not_known(stored: Stored) -> None:
    """A client whose deletion was logged and written is gone."""
    stored.api.organisation.add(A, client_id="1")
    stored.sync()
    stored.api.organisation.remove(A, "1")

    account = stored.sync().account(A)

    assert (account.known, account.clients, list(account.last_changes)) == ({}, {}, ["1"])


def test_an_account_is_baselined_once_it_was_read_completely(stored: Stored) -> None:
    """Neither a forbidden account nor a listing that is not whole is a baseline."""
    for account in (A, B):
        stored.api.organisation.add(account, client_id="1")
    stored.api.behaviour.result_info_of[A] = ResultInfo.off_by(1)
    stored.api.behaviour.break_(B, faults.forbidden())
    before = stored.sync()
    stored.api.behaviour.result_info_of.clear()
    after = stored.sync()

    assert [before.account(account).baselined for account in (A, B)] == [False, False]
    assert before.account(A).known
    assert [after.account(account).baselined for account in (A, B)] == [True, False]


def test_an_empty_account_is_baselined(stored: Stored) -> None:
    """Its first client is created, although no log row says that the account was read."""
    stored.api.organisation.add_account(A)

    assert stored.sync().account(A).baselined


def test_a_sync_whose_changes_never_reached_the_log_is_no_baseline(stored: Stored) -> None:
    """A load that was killed between `account_syncs` and the log claims changes that are not there."""
    stored.api.organisation.add(A, client_id="1")
    stored.sync()
    stored.sql("DELETE FROM oauth_client_changes")

    assert not stored.read().account(A).baselined


def test_completed_at_is_when_the_last_complete_sync_had_read_the_account(stored: Stored) -> None:
    """A later sync that could not read the account leaves it as it is."""
    stored.api.organisation.add(A, client_id="1")
    before = datetime.now(UTC)
    first = stored.sync().account(A).completed_at
    stored.api.behaviour.break_(A, faults.forbidden())
    second = stored.sync().account(A).completed_at

    assert first is not None
    assert before - timedelta(seconds=1) <= first <= datetime.now(UTC)
    assert second == first
    assert stored.sql("SELECT count(*) FROM account_syncs") == [(2,)]
    assert stored.sql("SELECT max(finished_at) FROM account_syncs WHERE status = 'complete'") == [(first,)]


@pytest.mark.parametrize(
    "spoiled",
    [
        "UPDATE account_syncs SET status = 'incomplete'",
        "UPDATE account_syncs SET rejected = 1",
        "UPDATE _dlt_loads SET status = 1",
        "DELETE FROM _dlt_loads",
    ],
)
def test_an_account_that_was_not_read_and_loaded_whole_is_not_completed(stored: Stored, spoiled: str) -> None:
    """Rejected rows, a status other than complete and an unfinished load: `--resume` reads it again."""
    stored.api.organisation.add(A, client_id="1")
    assert stored.sync().account(A).completed_at is not None
    stored.sql(spoiled)

    assert stored.read().account(A).completed_at is None


def test_documents_after_are_those_of_the_log(stored: Stored) -> None:
    """By change id, as the API sent them; an id that is not in the log has none."""
    stored.api.organisation.add(A, client_id="1", client_name="one", scopes=["b", "a"])
    stored.api.organisation.add(A, client_id="2", client_name="two")
    state = stored.sync()
    ids = {client: one.change_id for client, one in state.account(A).last_changes.items()}

    documents = state.documents_after([*ids.values(), "0" * 32])

    assert documents == {
        ids[document["client_id"]]: document for document in stored.api.organisation.clients(A)
    }
    assert state.documents_after([]) == {}


def test_more_documents_than_one_query_asks_for_are_all_found(stored: Stored) -> None:
    """501 ids take two queries."""
    for number in range(501):
        stored.api.organisation.add(A, client_id=str(number))
    state = stored.sync()

    documents = state.documents_after([one.change_id for one in state.account(A).last_changes.values()])

    assert {document["client_id"] for document in documents.values()} == set(map(str, range(501)))


def test_a_secret_that_an_older_release_stored_is_redacted(stored: Stored) -> None:
    """It comes back into neither the log nor the comparison."""
    stored.api.organisation.add(A, client_id="1", client_name="one")
    state = stored.sync()
    document = json.dumps({"client_id": "1", "client_secret": "hush", "nested": [{"apiKey": "hush", "a": 1}]})
    stored.sql(f"UPDATE oauth_client_changes SET document_after = '{document}'")
    change_id = state.account(A).last_changes["1"].change_id

    assert stored.read().documents_after([change_id]) == {change_id: {"client_id": "1", "nested": [{"a": 1}]}}
