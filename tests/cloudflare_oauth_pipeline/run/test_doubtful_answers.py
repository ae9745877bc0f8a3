"""No single answer deletes, and none that is not plainly whole, on any destination.

What an answer proves is decided before a destination sees a row, so that two of them stand for all.
"""

from pathlib import Path

import pytest

from cloudflare_oauth import SyncSettings
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FakeApi, faults
from cloudflare_oauth_pipeline.run.summary import Summary
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.client_settings import settings_for
from tests.support.warehouses import DuckDB, Postgres, Warehouse

A, B = "a" * 32, "b" * 32
CLIENTS = [str(number) for number in range(9)]
NOT_WHOLE = [
    faults.other_status(201),
    faults.other_status(202),
    faults.other_status(203),
    faults.other_status(206),
    faults.errors_beside_the_result({"code": 10013, "message": "a part of the result is missing"}),
    faults.errors_beside_the_result("partial"),
]


class Place:
    """A dataset in one of the destinations, and what a sync does to it."""

    def __init__(self, api: FakeApi, target: Target, warehouse: Warehouse) -> None:
        self.api, self.target, self.warehouse = api, target, warehouse

    def sync(self, **settings: object) -> Summary:
        return sync(self.target, settings_for(self.api, **settings))

    def stored(self, account: str = A) -> list[str]:
        rows = self.warehouse.rows("oauth_clients")
        return sorted(row["client_id"] for row in rows if row["account_id"] == account)

    def logged(self, change: str) -> list[str]:
        rows = self.warehouse.rows("oauth_client_changes")
        return sorted(row["client_id"] for row in rows if row["change"] == change)

    def last_status(self, summary: Summary, account: str = A) -> tuple[str, str | None]:
        rows = self.warehouse.rows("account_syncs")
        (row,) = (r for r in rows if (r["sync_id"], r["account_id"]) == (summary.sync_id, account))
        return row["status"], row.get("error_message")


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.scale)])
def place(
    request: pytest.FixtureRequest, api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Place:
    """An account with nine clients (too few for the brake on deletions) that has been synced."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.chdir(tmp_path)
    for client in CLIENTS:
        api.organisation.add(A, client_id=client)
    warehouse: Warehouse
    if request.param == "duckdb":
        warehouse = DuckDB(tmp_path / "clients.duckdb")
        place = Place(api, Target(db=warehouse.file), warehouse)
    else:
        server: Postgres = request.getfixturevalue("server")
        warehouse = server.emptied(tmp_path.name)
        for name, value in warehouse.environment.items():
            monkeypatch.setenv(name, value)
        place = Place(api, Target(destination="postgres"), warehouse)
    assert place.sync().exit_code == 0
    api.requests.clear()
    return place


def test_a_single_empty_answer_deletes_nothing(place: Place) -> None:
    """Nine clients, then once `result: []` with a count of 0: the second reading has them all."""
    place.api.behaviour.fail_next(faults.emptied(), path="*/oauth_clients")

    summary = place.sync()

    assert (summary.exit_code, summary.clients["deleted"]) == (0, 0)
    assert (place.stored(), place.logged("deleted")) == (CLIENTS, [])


def test_two_empty_answers_around_a_shorter_one_make_the_account_incomplete(place: Place) -> None:
    """No two readings agree."""
    place.api.organisation.remove(A, "0")
    # Where others may write, what was prefetched is read again, in three more readings.
    for nth in (0, 2, 3, 5):
        place.api.behaviour.fail_next(faults.emptied(), path="*/oauth_clients", after=nth)

    summary = place.sync()

    status, message = place.last_status(summary)
    assert (summary.exit_code, status) == (3, "incomplete")
    assert message and "no two readings of it agree" in message
    assert (place.stored(), place.logged("deleted")) == (CLIENTS, [])


def test_a_true_deletion_is_confirmed_and_made(place: Place) -> None:
    """Promise 3, one client or all of them; an unchanged account still costs one request."""
    place.sync()
    assert place.api.requests.paths().count(f"/accounts/{A}/oauth_clients") == 1
    for gone in (CLIENTS[:1], CLIENTS[1:]):
        for client in gone:
            place.api.organisation.remove(A, client)

        summary = place.sync()

        assert (summary.exit_code, summary.clients["deleted"]) == (0, len(gone))
    assert (place.stored(), place.logged("deleted")) == ([], CLIENTS)


@pytest.mark.variants(2)
@pytest.mark.parametrize("fault", NOT_WHOLE, ids=repr)
def test_an_answer_that_is_not_plainly_whole_changes_nothing(place: Place, fault: faults.Fault) -> None:
    """Promise 2: the account is `failed` with a sentence, exit code 3; the other one is loaded."""
    api = place.api
    api.organisation.remove(A, "0")
    api.organisation.add(A, client_id="new")
    api.organisation.add(B, client_id="1")
    api.behaviour.break_(A, fault)

    summary = place.sync()

    status, message = place.last_status(summary)
    assert (summary.exit_code, status) == (3, "failed")
    assert message and message.startswith(f"account {A}: Cloudflare answered ")
    assert (place.stored(), place.stored(B), place.logged("deleted")) == (CLIENTS, ["1"], [])

    api.behaviour.heal()
    assert place.sync().exit_code == 0
    assert place.logged("deleted") == ["0"]


@pytest.mark.variants(1)
@pytest.mark.parametrize(
    "fault",
    [faults.emptied(), faults.other_status(206), faults.errors_beside_the_result("partial")],
    ids=repr,
)
def test_a_doubtful_catalogue_deletes_no_scope(place: Place, fault: faults.Fault) -> None:
    """The catalogue of scopes is a listing, too: a scope that is really gone is deleted by the next sync."""
    before = len(place.warehouse.rows("oauth_scopes"))
    place.api.behaviour.fail_next(fault, path="/oauth/scopes")

    assert place.sync().exit_code == 0
    assert len(place.warehouse.rows("oauth_scopes")) == before

    gone = place.api.organisation.scopes.pop()
    assert place.sync().exit_code == 0
    left = {row["id"] for row in place.warehouse.rows("oauth_scopes")}
    assert (len(left), gone["id"] in left) == (before - 1, False)


@pytest.mark.variants(1)
@pytest.mark.parametrize("others", [[], [A], [A, A[:16] + A[16:].upper()]], ids=len)
def test_an_account_in_capitals_is_one_account(place: Place, others: list[str]) -> None:
    """Whether listed in capitals, in several spellings, or named: its clients are stored once."""
    api = place.api
    api.organisation.change_account(A, id=A.upper())
    for other in others:
        api.organisation.put_account({"id": other, "name": "the same again"})

    assert place.sync().exit_code == 0
    assert place.sync(account_ids=(A.upper(),)).exit_code == 0

    assert place.stored() == CLIENTS
    assert {row["account_id"] for row in place.warehouse.rows("accounts")} == {A}
    assert {row["account_id"] for row in place.warehouse.rows("account_syncs")} == {A}
    assert [row["change"] for row in place.warehouse.rows("oauth_client_changes")] == ["baseline"] * 9


def test_an_excluded_account_may_be_listed_in_capitals(place: Place) -> None:
    """It is not read: one spelling on both sides."""
    api = place.api
    api.organisation.add(B, client_id="1")
    api.organisation.change_account(B, id=B.upper())

    for excluded in (B, B.upper()):
        assert place.sync(exclude_account_ids=(excluded,)).exit_code == 0

    assert place.stored(B) == []
    assert not [path for path in api.requests.paths() if path.lower() == f"/accounts/{B}/oauth_clients"]
    assert SyncSettings(exclude_account_ids=(B.upper(),)).exclude_account_ids == (B,)


def test_an_id_that_is_none_is_a_rejected_row_and_in_no_path(place: Place) -> None:
    """`..`, a slash, nothing, too long, other letters: rejected, said, and every other account is read."""
    hostile = [
        "..",
        "a/b",
        "",
        "a" * 33,
        "a" * 31,
        "g" * 32,
        f"{A}\n",
        "٣" * 32,
        "a" * 300,
        "../user/tokens?",
    ]
    for account in hostile:
        place.api.organisation.put_account({"id": account})

    summary = place.sync()

    assert summary.exit_code == 3
    assert place.last_status(summary) == ("complete", None)
    rejected = [row for row in place.warehouse.rows("rejected_rows") if row["table_name"] == "accounts"]
    assert len(rejected) == len(hostile)
    assert {row["reason"] for row in rejected} == {"id: not 32 hexadecimal characters", "no id"}
    assert set(place.api.requests.paths()) == {"/accounts", f"/accounts/{A}/oauth_clients", "/oauth/scopes"}
