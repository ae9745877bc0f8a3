"""An inventory over a reader that lists from memory: the rows it yields, their order, and the events."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudflare_oauth import SyncSettings, events
from cloudflare_oauth.errors import (
    AuthenticationError,
    CloudflareError,
    ForbiddenError,
    NotFoundError,
    RequestFailedError,
)
from cloudflare_oauth.inventory import Inventory, Rows, StoredState, new_sync_id
from cloudflare_oauth.inventory.stored_state import LoggedChange, StoredAccount, StoredClient
from cloudflare_oauth.records import DELETED, Row
from cloudflare_oauth.resources import ACCOUNT, OAUTH_CLIENT, OAUTH_SCOPE, Resource
from tests.support.fake_reader import READ_AT, FakeReader

A, B, C = "a" * 32, "b" * 32, "c" * 32


def hash_of(resource: Resource, item: dict[str, Any]) -> str:
    row = resource.row_type.check(item)
    assert isinstance(row, Row)
    return row.content_hash


def stored_account(*client_ids: str, **fields: Any) -> StoredAccount:
    """An account with these clients, which have no field but their id."""
    hashes = {client_id: hash_of(OAUTH_CLIENT, {"client_id": client_id}) for client_id in client_ids}
    return StoredAccount(
        clients={client: StoredClient(one, f"change {client}") for client, one in hashes.items()},
        last_changes={client: LoggedChange(f"change {client}", one) for client, one in hashes.items()},
        baselined=True,
        **fields,
    )


def clients(*client_ids: str) -> list[dict[str, Any]]:
    return [{"client_id": client_id} for client_id in client_ids]


class Taken:
    """An inventory that was taken: its pieces, the rows of each table, and the events."""

    def __init__(self, reader: FakeReader, stored: StoredState | None = None, **settings: Any) -> None:
        self.reader = reader
        self.events: list[events.Event] = []
        self.inventory = Inventory(
            reader,
            stored or StoredState(),
            SyncSettings(**settings),
            observer=self.events.append,
            sync_id="sync",
        )
        self.pieces: list[Rows] = list(self.inventory.take(lambda: reader.asked.append("on_listed")))

    def rows(self, table: str) -> list[dict[str, Any]]:
        return [row for piece in self.pieces for row in piece.get(table, ())]

    def column(self, table: str, name: str) -> list[Any]:
        return [row[name] for row in self.rows(table)]

    @property
    def account_syncs(self) -> dict[str, dict[str, Any]]:
        return {row["account_id"]: row for row in self.rows("account_syncs")}

    @property
    def warnings(self) -> list[tuple[str, bool]]:
        return [(event.message, event.partial) for event in self.events if isinstance(event, events.Warned)]


def test_the_listed_accounts_are_read_each_in_one_piece() -> None:
    """The accounts come first, then each account with its clients, changes and status, the scopes last."""
    reader = FakeReader(
        accounts=[{"id": A, "name": "Halden"}, {"id": B}],
        clients={A: clients("1", "2"), B: clients("1")},
        scopes=[{"id": "dns.read"}],
    )

    taken = Taken(reader)

    first, of_a, of_b, last = taken.pieces
    assert [(row["account_id"], row.get("name")) for row in first["accounts"]] == [(A, "Halden"), (B, None)]
    for piece, account, client_ids in ((of_a, A, ["1", "2"]), (of_b, B, ["1"])):
        for table in ("oauth_clients", "oauth_client_changes"):
            assert [(row["account_id"], row["client_id"]) for row in piece[table]] == [
                (account, client_id) for client_id in client_ids
            ]
        assert [row["account_id"] for row in piece["account_syncs"]] == [account]
    assert [row["id"] for row in last["oauth_scopes"]] == ["dns.read"]
    assert taken.warnings == []


def test_an_accounts_row_has_the_tables_key() -> None:
    """The API says `id`, the table `account_id`; the hash is that of what the API sent."""
    taken = Taken(FakeReader(accounts=[{"id": A, "name": "Halden"}]))

    (row,) = taken.rows("accounts")
    assert row == {
        "account_id": A,
        "name": "Halden",
        "content_hash": hash_of(ACCOUNT, {"id": A, "name": "Halden"}),
        "observed_at": taken.inventory.observed_at,
    }


def test_named_accounts_are_read_without_a_list_of_accounts() -> None:
    """`GET /accounts` is not requested, in the order of the names; a new one has a row with its id only."""
    stored = StoredState(accounts={B: "hash"})
    reader = FakeReader(accounts=CloudflareError("not asked for"), clients={A: clients("1")})

    taken = Taken(reader, stored, account_ids=(B, A))

    assert "begin accounts" not in reader.asked
    assert taken.rows("accounts") == [{"account_id": A, "observed_at": taken.inventory.observed_at}]
    assert list(taken.account_syncs) == [B, A]


def test_excluded_accounts_are_left_out() -> None:
    """Whether accounts are listed or named, an excluded one is not read and gets no row."""
    reader = FakeReader(accounts=[{"id": A}, {"id": B}])
    stored = StoredState(by_account={B: stored_account("1")})

    listed = Taken(reader, stored, exclude_account_ids=(B,))
    named = Taken(FakeReader(), exclude_account_ids=(B,), account_ids=(A, B))

    for taken in (listed, named):
        assert taken.column("accounts", "account_id") == [A]
        assert list(taken.account_syncs) == [A]
        assert events.AccountsFound(1) in taken.events
    assert listed.warnings == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AuthenticationError("refused", http_status=401, code=10001), "forbidden"),
        (ForbiddenError("refused", http_status=403, code=10000), "forbidden"),
        (NotFoundError("refused", http_status=404, code=7003), "not_found"),
        (RequestFailedError("refused", http_status=502), "failed"),
        (CloudflareError("refused"), "failed"),
    ],
)
def test_an_account_that_fails_keeps_its_clients_and_gets_its_row(
    error: CloudflareError, status: str
) -> None:
    """Promises 2 and 9: nothing of it is written but its status, and the next account is read."""
    stored = StoredState(by_account={A: stored_account("1", "2")})
    reader = FakeReader(accounts=[{"id": A}, {"id": B}], clients={A: error, B: clients("3")})

    taken = Taken(reader, stored)

    assert taken.column("oauth_clients", "account_id") == [B]
    assert taken.column("oauth_client_changes", "account_id") == [B]
    row = taken.account_syncs[A]
    assert (row["status"], row["http_status"], row["error_code"], row["error_message"]) == (
        status,
        error.http_status,
        error.code,
        "refused",
    )
    assert (row["listed"], row["deleted"], row["requests"], row["retries"]) == (0, 0, 2, 1)
    assert taken.account_syncs[B]["status"] == "complete"


def test_a_listing_that_is_not_whole_deletes_nothing() -> None:
    """Its status is incomplete with the reason; what it shows is written."""
    stored = StoredState(by_account={A: stored_account("1")})
    reader = FakeReader(accounts=[{"id": A}], clients={A: clients("2")}, problems={A: "it drifts"})

    taken = Taken(reader, stored)

    row = taken.account_syncs[A]
    assert row["status"] == "incomplete"
    assert row["error_message"] == "the listing is not proven whole, so nothing was deleted: it drifts"
    assert (row["created"], row["deleted"], row["deletes_withheld"]) == (1, 0, 0)
    assert [row["client_id"] for row in taken.rows("oauth_clients")] == ["2"]


def test_an_account_that_lost_too_many_clients_is_blocked() -> None:
    """It keeps them all, and its message names some of them and the option that deletes them."""
    stored = StoredState(by_account={A: stored_account(*map(str, range(10)))})
    reader = FakeReader(accounts=[{"id": A}], clients={A: clients("0", "1", "2", "3")})

    blocked, allowed = (Taken(reader, stored, max_delete_fraction=share) for share in (0.5, 0.6))

    row = blocked.account_syncs[A]
    assert (row["status"], row["deleted"], row["deletes_withheld"]) == ("delete_blocked", 0, 6)
    assert "4, 5, 6, 7, 8 and 1 more" in row["error_message"]
    assert "--max-delete-fraction 1" in row["error_message"]
    assert blocked.rows("oauth_clients") == []
    row = allowed.account_syncs[A]
    assert (row["status"], row["deleted"], row["deletes_withheld"]) == ("complete", 6, 0)


def test_a_client_that_a_whole_listing_lacks_is_deleted() -> None:
    """Promise 3: also the account's last."""
    stored = StoredState(by_account={A: stored_account("1")})

    taken = Taken(FakeReader(accounts=[{"id": A}]), stored)

    assert taken.rows("oauth_clients") == [{"account_id": A, "client_id": "1", DELETED: True}]
    assert taken.column("oauth_client_changes", "change") == ["deleted"]


def test_a_row_that_cannot_be_loaded_is_rejected_and_deletes_nothing() -> None:
    """The account is complete but says so; the row is kept with its reason, account and table."""
    stored = StoredState(by_account={A: stored_account("1")})
    reader = FakeReader(accounts=[{"id": A}], clients={A: [{"client_id": "2"}, {"no": "id"}, {"no": "id"}]})

    taken = Taken(reader, stored)

    (rejected,) = taken.rows("rejected_rows")
    assert len(rejected.pop("rejection_id")) == 32
    assert rejected == {
        "account_id": A,
        "table_name": "oauth_clients",
        "reason": "no client_id",
        "document": '{"no": "id"}',
        "sync_id": "sync",
        "observed_at": taken.inventory.observed_at,
    }
    row = taken.account_syncs[A]
    assert (row["status"], row["listed"], row["rejected"], row["deleted"]) == ("complete", 3, 2, 0)
    assert row["deletes_withheld"] == 1
    assert row["error_message"].startswith("2 rows could not be loaded (see rejected_rows)")


def test_a_row_without_some_fields_is_loaded_and_blocks_no_deletion() -> None:
    """The account is read, and says what it lacks; the rejected fields are kept with their reason."""
    stored = StoredState(by_account={A: stored_account("1")})
    reader = FakeReader(accounts=[{"id": A}], clients={A: [{"client_id": "2", "scopes": 7, "tags": ["a"]}]})

    taken = Taken(reader, stored)

    deleted, loaded = sorted(taken.rows("oauth_clients"), key=lambda row: row["client_id"])
    assert deleted[DELETED]
    assert (loaded["tags"], "scopes" in loaded) == (["a"], False)
    (rejected,) = taken.rows("rejected_rows")
    assert (rejected["account_id"], rejected["table_name"]) == (A, "oauth_clients")
    assert rejected["document"] == '{"client_id": "2", "scopes": 7}'
    assert rejected["reason"] == "scopes: not an array but a number; the rest of the row was loaded"
    row = taken.account_syncs[A]
    assert (row["status"], row["rejected"], row["rejected_in_part"], row["deleted"]) == ("complete", 1, 1, 1)
    assert row["error_message"] == "1 rows were loaded without some of their fields (see rejected_rows)"


def test_a_row_with_rejected_fields_that_is_stored_is_not_written_again() -> None:
    """Promise 5: the account still counts it."""
    reader = FakeReader(accounts=[{"id": A}], clients={A: [{"client_id": "1", "scopes": 7}]})
    first = Taken(reader)
    stored = StoredState(
        rejections=set(first.column("rejected_rows", "rejection_id")), by_account={A: stored_account("1")}
    )

    taken = Taken(reader, stored)

    assert taken.rows("rejected_rows") == taken.rows("oauth_clients") == []
    assert taken.rows("oauth_client_changes") == []
    assert taken.account_syncs[A]["rejected"] == taken.account_syncs[A]["unchanged"] == 1


def test_a_scope_without_some_fields_keeps_no_other_in_the_catalogue() -> None:
    """What vanished is deleted; the sync is partial, because it says what was not taken."""
    stored = StoredState(scopes={"a": ""})

    taken = Taken(FakeReader(accounts=[{"id": A, "name": 7}], scopes=[{"id": "b", "name": 7}]), stored)

    assert [row for row in taken.rows("oauth_scopes") if DELETED in row] == [{"id": "a", DELETED: True}]
    assert taken.warnings == [
        (f"1 {kind} were taken without some of their fields; see rejected_rows", True)
        for kind in ("accounts", "scopes")
    ]
    assert sorted(taken.column("rejected_rows", "table_name")) == ["accounts", "oauth_scopes"]


def test_a_row_that_is_rejected_again_is_not_written_again() -> None:
    """Promise 5: the account still counts it."""
    reader = FakeReader(accounts=[{"id": A}], clients={A: [{"no": "id"}]})
    rejections = set(Taken(reader).column("rejected_rows", "rejection_id"))

    taken = Taken(reader, StoredState(rejections=rejections))

    assert taken.rows("rejected_rows") == []
    assert taken.account_syncs[A]["rejected"] == 1


def test_the_same_row_rejected_in_two_accounts_is_two_rows() -> None:
    """The rejection's id depends on the account."""
    reader = FakeReader(accounts=[{"id": A}, {"id": B}], clients={A: [7], B: [7]})

    assert len(set(Taken(reader).column("rejected_rows", "rejection_id"))) == 2


def test_an_account_that_cannot_be_loaded_makes_the_sync_partial() -> None:
    """It is rejected without an account id, and the other accounts are read."""
    taken = Taken(FakeReader(accounts=[{"id": A}, {"name": "no id"}]))

    (rejected,) = taken.rows("rejected_rows")
    assert (rejected["table_name"], rejected["account_id"], rejected["reason"]) == ("accounts", None, "no id")
    assert list(taken.account_syncs) == [A]
    assert taken.warnings == [("1 accounts could not be taken; see rejected_rows", True)]


def test_a_list_of_accounts_that_is_not_whole_makes_the_sync_partial() -> None:
    """The accounts it shows are read."""
    taken = Taken(FakeReader(accounts=[{"id": A}], problems={"accounts": "it drifts"}))

    assert list(taken.account_syncs) == [A]
    assert taken.warnings == [
        ("the list of accounts is not proven whole: it drifts; some may be missing", True)
    ]


def test_a_known_account_that_is_not_listed_keeps_its_clients() -> None:
    """Promise 2: the credentials may just not see it any more; the sync says so and is not partial."""
    stored = StoredState(by_account={A: stored_account("1"), B: stored_account("1")})

    taken = Taken(FakeReader(accounts=[{"id": A}], clients={A: clients("1")}), stored)

    assert taken.rows("oauth_clients") == []
    assert list(taken.account_syncs) == [A]
    assert taken.warnings == [
        (f"1 known accounts are not listed any more and keep their clients: {B}", False)
    ]


def test_unchanged_accounts_and_scopes_are_not_written_again() -> None:
    """Promise 5: only `account_syncs` grows."""
    account, scope = {"id": A, "name": "Halden"}, {"id": "dns.read", "scopes": ["a"]}
    stored = StoredState(
        accounts={A: hash_of(ACCOUNT, account)},
        scopes={"dns.read": hash_of(OAUTH_SCOPE, scope)},
        by_account={A: stored_account("1")},
    )
    reader = FakeReader(accounts=[account], clients={A: clients("1")}, scopes=[scope])

    taken = Taken(reader, stored)

    assert {table for piece in taken.pieces for table, rows in piece.items() if rows} == {"account_syncs"}
    assert taken.account_syncs[A]["unchanged"] == 1


def test_changed_accounts_and_scopes_are_written_again() -> None:
    """A stored hash that differs, or none, makes a row."""
    stored = StoredState(accounts={A: "old"}, scopes={"dns.read": "old"})
    reader = FakeReader(accounts=[{"id": A}, {"id": B}], scopes=[{"id": "dns.read"}, {"id": "dns.write"}])

    taken = Taken(reader, stored)

    assert taken.column("accounts", "account_id") == [A, B]
    assert taken.column("oauth_scopes", "id") == ["dns.read", "dns.write"]


def test_a_scope_that_vanished_from_the_catalogue_is_deleted() -> None:
    """Its row is marked for removal."""
    stored = StoredState(scopes={"a": "", "b": hash_of(OAUTH_SCOPE, {"id": "b"}), "c": ""})

    taken = Taken(FakeReader(accounts=[{"id": A}], scopes=[{"id": "b"}]), stored)

    assert taken.rows("oauth_scopes") == [{"id": "a", DELETED: True}, {"id": "c", DELETED: True}]


@pytest.mark.parametrize(
    ("reader", "warnings"),
    [
        (
            FakeReader(scopes=[{"id": "b"}], problems={"oauth_scopes": "it drifts"}),
            [("the catalogue of scopes is not proven whole: it drifts; no scope was deleted", False)],
        ),
        (
            FakeReader(scopes=[{"id": "b"}, {"id": 7}]),
            [("1 scopes could not be taken; see rejected_rows", True)],
        ),
        (
            FakeReader(scopes=CloudflareError("no answer")),
            [("no answer. The catalogue of scopes stays as it was", False)],
        ),
    ],
)
def test_a_catalogue_that_is_not_whole_deletes_no_scope(
    reader: FakeReader, warnings: list[tuple[str, bool]]
) -> None:
    """Nor does one with a row that cannot be loaded, or one that cannot be read."""
    stored = StoredState(scopes={"a": "", "b": hash_of(OAUTH_SCOPE, {"id": "b"})})

    taken = Taken(reader, stored, account_ids=(A,))

    assert taken.rows("oauth_scopes") == []
    assert taken.warnings == warnings
    assert taken.account_syncs[A]["status"] == "complete"


def test_accounts_that_cannot_be_listed_end_the_inventory() -> None:
    """The error is the caller's; no rows and no accounts come before it."""
    reader = FakeReader(accounts=ForbiddenError("no permission", http_status=403))

    with pytest.raises(ForbiddenError, match="no permission"):
        Taken(reader)

    assert "on_listed" not in reader.asked
    assert "read accounts" not in reader.asked


def test_credentials_that_see_no_account_end_the_inventory() -> None:
    """An empty list is no success: the message names the permission."""
    with pytest.raises(
        CloudflareError, match='the credentials see no account: grant "Account Settings Read"'
    ):
        Taken(FakeReader())


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([A], "all 1 accounts that the credentials see are excluded"),
        ([A.upper(), B], "all 2 accounts that the credentials see are excluded"),
        ([B, A, A.upper()], "all 2 accounts that the credentials see are excluded"),
        (["..", ""], r"none of the 2 accounts in Cloudflare's list could be taken \(id: not 32"),
    ],
)
def test_a_list_that_leaves_no_account_is_an_error(listed: list[str], message: str) -> None:
    """Excluded, whatever the spelling, or unusable: the message says which."""
    reader = FakeReader(accounts=[{"id": account_id} for account_id in listed])

    with pytest.raises(CloudflareError, match=message):
        Taken(reader, exclude_account_ids=(A, B.upper()))


def test_a_resumed_sync_may_leave_every_account_out() -> None:
    """All of them are fresh: there is nothing to do, which is a success."""
    stored = StoredState(by_account={A: stored_account("1", completed_at=datetime.now(UTC))})

    taken = Taken(FakeReader(accounts=[{"id": A}]), stored, resume_within=timedelta(hours=1))

    assert events.AccountsFound(0) in taken.events
    assert [partial for _, partial in taken.warnings] == [False]


@pytest.mark.parametrize("account_ids", [None, (A,)])
def test_on_listed_is_called_once_between_the_accounts_and_the_first_rows(
    account_ids: tuple[str, ...] | None,
) -> None:
    """By then the accounts are known, the reading has begun, and no row has been yielded."""
    reader = FakeReader(accounts=[{"id": A}])
    seen: list[events.Event] = []
    inventory = Inventory(reader, StoredState(), SyncSettings(account_ids=account_ids), observer=seen.append)
    calls: list[tuple[list[str], list[events.Event]]] = []

    pieces = inventory.take(lambda: calls.append((list(reader.asked), list(seen))))
    assert calls == []
    next(pieces)
    for _ in pieces:
        pass

    listing = ["begin accounts", "wait for accounts"] if account_ids is None else []
    assert calls == [(["begin oauth_scopes", *listing, "read accounts"], [events.AccountsFound(1)])]


def test_what_on_listed_raises_ends_the_inventory() -> None:
    """The caller may give up before anything is written."""

    def give_up() -> None:
        raise KeyError("given up")

    inventory = Inventory(FakeReader(accounts=[{"id": A}]), StoredState(), SyncSettings())

    with pytest.raises(KeyError, match="given up"):
        next(inventory.take(give_up))


def test_while_there_is_no_reading_empty_pieces_are_yielded() -> None:
    """The caller gets control again, to show progress or to end the sync."""
    taken = Taken(FakeReader(accounts=[{"id": A}], silences=2))

    assert [sorted(piece) for piece in taken.pieces[1:3]] == [[], []]
    assert list(taken.account_syncs) == [A]


def test_accounts_that_were_read_within_the_age_are_left_out() -> None:
    """One that was read before it, or never completely, is read; the sync says so and is not partial."""
    now = datetime.now(UTC)
    stored = StoredState(
        by_account={
            A: stored_account("1", completed_at=now - timedelta(minutes=59)),
            B: stored_account("1", completed_at=now - timedelta(minutes=61)),
            C: stored_account("1"),
        }
    )
    reader = FakeReader(
        accounts=[{"id": A}, {"id": B}, {"id": C}], clients={B: clients("1"), C: clients("1")}
    )

    taken = Taken(reader, stored, resume_within=timedelta(hours=1))

    assert list(taken.account_syncs) == [B, C]
    assert events.AccountsFound(2) in taken.events
    ((message, partial),) = taken.warnings
    assert message.startswith("1 of 3 accounts were read completely since ")
    assert not partial
    assert taken.rows("oauth_clients") == []
    assert taken.column("accounts", "account_id") == [A, B, C]


@pytest.mark.parametrize("ahead", [timedelta(minutes=1), timedelta(days=1), timedelta(days=9_000)])
def test_an_account_that_was_read_in_the_future_is_read_again(ahead: timedelta) -> None:
    """A clock was ahead: the time proves nothing."""
    stored = StoredState(by_account={A: stored_account("1", completed_at=datetime.now(UTC) + ahead)})
    reader = FakeReader(accounts=[{"id": A}], clients={A: clients("1")})

    assert list(Taken(reader, stored, resume_within=timedelta(hours=1)).account_syncs) == [A]


def test_a_sync_has_a_number_above_all_that_are_stored() -> None:
    """Also above that of an account of which another sync has been stored meanwhile."""
    accounts = {account: stored_account("1", sync_number=number) for account, number in ((A, 4), (B, 7))}
    stored = StoredState(by_account=accounts)
    reader = FakeReader(accounts=[{"id": id_} for id_ in (A, B, C)], clients={})

    numbers = [row["sync_number"] for row in Taken(reader, stored).account_syncs.values()]

    assert numbers == [8, 8, 8]


def test_observed_at_shifts_the_clock() -> None:
    """A sync that plays another day dates its rows and its readings by that day."""
    day = datetime(2020, 2, 29, 12, tzinfo=UTC)
    before = datetime.now(UTC)
    taken = Taken(FakeReader(accounts=[{"id": A}], clients={A: clients("1")}), observed_at=day)
    after = datetime.now(UTC)

    for table in ("accounts", "oauth_clients", "oauth_client_changes"):
        assert taken.column(table, "observed_at") == [day]
    row = taken.account_syncs[A]
    for name, moment in zip(("started_at", "finished_at"), READ_AT, strict=True):
        assert day - after <= row[name] - moment <= day - before


def test_without_observed_at_the_clock_is_not_shifted() -> None:
    """New content counts as first seen when the inventory began."""
    before = datetime.now(UTC)
    taken = Taken(FakeReader(accounts=[{"id": A}]))

    row = taken.account_syncs[A]
    assert (row["started_at"], row["finished_at"]) == READ_AT
    assert before <= taken.column("accounts", "observed_at")[0] <= datetime.now(UTC)


def test_every_account_sync_is_reported_as_an_event() -> None:
    """The fields of `AccountDone` equal the columns of the account's row, whatever its status."""
    stored = StoredState(by_account={A: stored_account("1", "2"), C: stored_account(*map(str, range(10)))})
    reader = FakeReader(
        accounts=[{"id": A}, {"id": B}, {"id": C}],
        clients={A: [*clients("1", "3"), 7], B: ForbiddenError("refused", http_status=403)},
    )

    taken = Taken(reader, stored)

    done = [event for event in taken.events if isinstance(event, events.AccountDone)]
    rows = taken.rows("account_syncs")
    assert [event.status for event in done] == ["complete", "forbidden", "delete_blocked"]
    assert [vars(event) for event in done] == [
        {name: row.get(name) for name in vars(event)} for event, row in zip(done, rows, strict=True)
    ]


def test_a_row_of_account_syncs_has_what_was_read() -> None:
    """Requests, retries, waiting rounded to milliseconds, times, counts and the API's own total."""
    stored = StoredState(by_account={A: stored_account("1", "2")})
    reader = FakeReader(accounts=[{"id": A}], clients={A: clients("1", "3")})

    taken = Taken(reader, stored)

    assert taken.rows("account_syncs") == [
        {
            "sync_id": "sync",
            "sync_number": 1,
            "withheld_clients": None,
            "account_id": A,
            "status": "complete",
            "error_message": None,
            "started_at": READ_AT[0],
            "finished_at": READ_AT[1],
            "requests": 2,
            "retries": 1,
            "waited_seconds": 0.123,
            "listed": 2,
            "reported_total": 2,
            "baseline": 0,
            "created": 1,
            "updated": 0,
            "deleted": 1,
            "unchanged": 1,
            "deletes_withheld": 0,
            "rejected": 0,
            "rejected_in_part": 0,
        }
    ]


def test_the_number_of_accounts_is_reported_before_any_account() -> None:
    """A progress bar needs it first."""
    taken = Taken(FakeReader(accounts=[{"id": A}, {"id": B}]))

    assert taken.events[0] == events.AccountsFound(2)


def test_sync_ids_sort_in_the_order_they_were_made() -> None:
    """`account_syncs` is ordered by them; those of one moment differ all the same."""
    ids = [new_sync_id() for _ in range(50)]

    assert [one.partition("-")[0] for one in ids] == sorted(one.partition("-")[0] for one in ids)
    assert len(set(ids)) == 50
    assert Inventory(FakeReader(), StoredState(), SyncSettings()).sync_id > ids[-1].partition("-")[0]


def test_the_names_of_dropped_fields_are_said_once_a_sync() -> None:
    """Over all accounts and tables, with the fields around them, never their values; it is no problem."""
    client = {"client_id": "1", "client_secret_v2": "hush", "nested": [{"apiKey": 7}]}
    reader = FakeReader(
        accounts=[{"id": A, "pin": "hush"}, {"id": B}],
        clients={A: [client, "hush"], B: [client, {"token": "hush"}]},
        scopes=[{"id": "s", "salt": {"a": "hush"}}],
    )

    taken = Taken(reader)

    assert taken.warnings == [
        (
            "fields that may hold secrets were dropped: accounts.pin, oauth_clients.client_secret_v2, "
            "oauth_clients.nested.apiKey, oauth_clients.token, oauth_scopes.salt",
            False,
        )
    ]
    assert "hush" not in repr(taken.pieces)


def test_at_most_ten_dropped_fields_are_named() -> None:
    """The others are counted."""
    client = {"client_id": "1"} | {f"secret_{number:02}": "hush" for number in range(12)}

    taken = Taken(FakeReader(accounts=[{"id": A}], clients={A: [client]}))

    ((message, _),) = taken.warnings
    assert message.endswith("oauth_clients.secret_09 and 2 more")


def test_dropped_fields_of_an_unchanged_client_are_said_again() -> None:
    """They are not content: the client counts as unchanged, and the user is told as long as they are sent."""
    stored = StoredState(accounts={A: hash_of(ACCOUNT, {"id": A})}, by_account={A: stored_account("1")})
    reader = FakeReader(accounts=[{"id": A}], clients={A: [{"client_id": "1", "token": "hush"}]})

    taken = Taken(reader, stored)

    assert taken.account_syncs[A]["unchanged"] == 1
    assert taken.warnings == [("fields that may hold secrets were dropped: oauth_clients.token", False)]


def test_without_dropped_fields_nothing_is_said() -> None:
    """Flags, and fields that are declared, are kept."""
    client = {"client_id": "1", "has_rotated_secret": True, "token_endpoint_auth_method": "none"}

    assert Taken(FakeReader(accounts=[{"id": A}], clients={A: [client]})).warnings == []
