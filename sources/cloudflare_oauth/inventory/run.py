"""One sync's inventory: lists the accounts and their clients, compares, and yields the rows to write.

Every step yields a `Rows`: the rows to write, by table. The rows of one account come in one piece.
"""

import json
import secrets
from collections.abc import Callable, Generator, Iterable, Set
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .. import events
from ..destinations import DestinationLimits, FitCheck
from ..errors import CloudflareError
from ..reading import AccountReading, CheckedListing, Reader
from ..records import (
    DELETED,
    DERIVED_VERSION,
    JSON,
    MOST_NAMES,
    Rejection,
    Row,
    change_facts,
    load_bundled_lists,
    text_hash,
)
from ..resources import ACCOUNT, OAUTH_CLIENT, OAUTH_SCOPE, Resource
from ..settings import SyncSettings
from .brake import withheld_as_text
from .diff import diff_account
from .rejected_fields import keep_stored_fields, without_new_columns
from .verdict import failure_columns, some, verdict_columns, why_no_account

if TYPE_CHECKING:
    # It imports dlt, which a caller that only needs a name from here need not wait for.
    from .stored_state import StoredState

NAMED_DROPPED_FIELDS = 10

Rows = dict[str, list[JSON]]


def new_sync_id() -> str:
    """A new id that sorts after those of earlier syncs."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(2)}"


class Inventory:
    """An inventory of everything the settings ask for; it is taken once, and writes nothing itself."""

    def __init__(
        self,
        reader: Reader,
        stored: "StoredState",
        settings: SyncSettings,
        *,
        limits: DestinationLimits | None = None,
        observer: events.Observer = events.ignore,
        sync_id: str | None = None,
        most_accounts: int | None = None,
    ) -> None:
        self.reader = reader
        self.stored = stored
        self.settings = settings
        self.most_accounts = most_accounts
        self.limits = limits or DestinationLimits()
        self.fit_check = FitCheck(self.limits, stored.tables)
        self.overtaken: set[str] = set()
        self._readings: dict[str, AccountReading] = {}
        self.observer = observer
        self.sync_id = sync_id or new_sync_id()
        self.sync_number = stored.sync_number + 1
        now = datetime.now(UTC)
        self.observed_at = settings.observed_at or now
        # Added to the times at which accounts are read, for a sync that plays another day.
        self.clock_shift = self.observed_at - now
        # Fields that may hold secrets, by table and name.
        self.dropped: set[str] = set()
        self.resume_since = now - settings.resume_within if settings.resume_within else None

    def take(self, on_listed: Callable[[], None] = lambda: None) -> Generator[Rows, None, None]:
        """Read everything and yield what is to be written.

        Args:
            on_listed: called before the first rows are yielded, once the accounts are known: the credentials
                are good, and the first clients are being read.

        Raises:
            CloudflareError: the accounts cannot be listed, or there are none. An account that cannot be read
                raises nothing: it has its row in `account_syncs`.
        """
        with_shared = self.settings.with_shared
        scopes = self.reader.begin(OAUTH_SCOPE, self.stored.scopes) if with_shared else None
        account_ids, rows = self._listed() if self.settings.account_ids is None else self._named()
        unread = self._known_besides(account_ids)
        account_ids = self._to_resume(account_ids)[: self.most_accounts]
        self.observer(events.AccountsFound(len(account_ids), unread))
        accounts = ((account_id, self.stored.known(account_id)) for account_id in account_ids)
        readings = self.reader.read_accounts(OAUTH_CLIENT, accounts)
        if not self.stored.by_account:
            # Every row of a first sync needs them, and the first responses are still on their way.
            load_bundled_lists()
        on_listed()
        yield rows
        for reading in readings:
            yield self._account(reading) if reading else {}
        if scopes:
            yield self._scopes(scopes)
        self._say_what_was_dropped()
        if with_shared:
            for changes in self.stored.outdated_changes():
                yield {"oauth_client_changes": list(map(_with_facts, changes))}

    def still_true(self, pieces: Iterable[Rows]) -> list[Rows]:
        """The pieces, without what other syncs have overtaken; for a caller that keeps them out meanwhile.

        An account is overtaken if another sync has written it since the stored state was read: that sync may
        have read it later than this one. `again` reads it once more.
        """
        pieces = list(pieces)
        changing = {_account_id(piece) for piece in pieces if _CHANGES_OF_AN_ACCOUNT & _filled(piece)}
        overtaken = self.stored.overtaken_accounts(changing)
        self.overtaken |= overtaken
        return [
            {name: self.stored.without_overtaken(name, rows) for name, rows in piece.items()}
            for piece in pieces
            if _account_id(piece) not in overtaken
        ]

    def is_new(self, piece: Rows) -> bool:
        """Whether the dataset had nothing that the rows of a piece replace or remove, when it was read."""
        account = self.stored.account(_account_id(piece) or "")
        changes = _CHANGES_OF_AN_ACCOUNT & _filled(piece)
        return (
            not (changes and (_account_id(piece) is None or account.clients or account.last_changes))
            and not any(row["account_id"] in self.stored.accounts for row in piece.get("accounts", ()))
            and not any(row["id"] in self.stored.scopes for row in piece.get("oauth_scopes", ()))
        )

    def again(self, stored: "StoredState") -> Generator[Rows, None, None]:
        """Read the accounts again that another sync has overtaken; `stored` is the state by now."""
        account_ids = sorted(self.overtaken)
        self.overtaken = set()
        self.stored = stored
        self.fit_check = FitCheck(self.limits, stored.tables)
        accounts = ((account_id, stored.account(account_id).known) for account_id in account_ids)
        for reading in self.reader.read_accounts(OAUTH_CLIENT, accounts):
            yield self._account(reading) if reading else {}

    def given_up(self) -> Generator[Rows, None, None]:
        """The rows of accounts that other syncs have overtaken again and again."""
        for account_id in sorted(self.overtaken):
            error = CloudflareError(
                f"account {account_id}: another sync wrote it each time while this one read it; "
                "run one at a time"
            )
            reading = replace(self._readings[account_id], outcome=error)
            yield {"account_syncs": [self._account_sync(reading, **failure_columns(error))]}

    def _to_resume(self, account_ids: list[str]) -> list[str]:
        if self.resume_since is None:
            return account_ids
        left = []
        now = datetime.now(UTC)
        for account_id in account_ids:
            completed_at = self.stored.account(account_id).completed_at
            # A time in the future is that of a clock that was ahead: it proves nothing.
            if completed_at is None or not self.resume_since <= completed_at <= now:
                left.append(account_id)
        self._warn(
            f"{len(account_ids) - len(left)} of {len(account_ids)} accounts were read completely since "
            f"{self.resume_since:%Y-%m-%d %H:%M} UTC and are left out",
            partial=False,
        )
        return left

    def _listed(self) -> tuple[list[str], Rows]:
        """The accounts that the credentials see."""
        listing = self._fitting(ACCOUNT, self.reader.begin(ACCOUNT, self.stored.accounts)())
        excluded = self.settings.exclude_account_ids
        account_ids = [row.key for row in listing.rows if row.key not in excluded]
        if not account_ids:
            raise CloudflareError(why_no_account(listing))
        if listing.problem:
            self._warn(f"the list of accounts is not proven whole: {listing.problem}; some may be missing")
        rows = self._accounts(listing)
        if unlisted := self._known_besides(account_ids):
            self._warn(
                f"{len(unlisted)} known accounts are not listed any more and keep their clients: "
                f"{some(unlisted)}",
                partial=False,
            )
        return account_ids, rows

    def _named(self) -> tuple[list[str], Rows]:
        """The accounts that the settings name."""
        excluded = self.settings.exclude_account_ids
        account_ids = [id_ for id_ in self.settings.account_ids or () if id_ not in excluded]
        listing = self._fitting(ACCOUNT, self._listed_elsewhere(set(account_ids)))
        # Of other accounts only the id is known; a row from an earlier listing is kept.
        known = self.stored.accounts.keys() | {row.key for row in listing.rows}
        rows = self._accounts(listing)
        rows["accounts"] += [
            {"account_id": id_, "observed_at": self.observed_at} for id_ in account_ids if id_ not in known
        ]
        return account_ids, rows

    def _listed_elsewhere(self, account_ids: Set[str]) -> CheckedListing:
        """Of these accounts, those that the settings have a document of, checked as in a listing."""
        documents = map(json.loads, self.settings.account_documents)
        dropped: set[str] = set()
        checked = [
            ACCOUNT.check(document, self.stored.accounts, dropped)
            for document in documents
            if document[ACCOUNT.row_type.key].lower() in account_ids
        ]
        return CheckedListing.of(checked, dropped)

    def _accounts(self, listing: CheckedListing) -> Rows:
        """The rows of accounts that were listed; without those that are excluded."""
        self._say_what_was_rejected("accounts", listing)
        excluded = self.settings.exclude_account_ids
        rows = (row for row in listing.rows if row.key not in excluded)
        changed = self._changed(rows, self.stored.accounts)
        for row in changed:
            row["account_id"] = row.pop("id")
        return {"accounts": changed, "rejected_rows": self._rejected(ACCOUNT, listing)}

    def _known_besides(self, account_ids: list[str]) -> tuple[str, ...]:
        """The accounts in the dataset that are neither among these nor excluded, sorted."""
        known = self.stored.by_account.keys()
        return tuple(sorted(known - set(account_ids) - set(self.settings.exclude_account_ids)))

    def _scopes(self, wait: Callable[[], CheckedListing]) -> Rows:
        try:
            listing = self._fitting(OAUTH_SCOPE, wait())
        except CloudflareError as error:
            self._warn(f"{error}. The catalogue of scopes stays as it was", partial=False)
            return {}
        self._say_what_was_rejected("scopes", listing)
        if listing.problem:
            self._warn(
                f"the catalogue of scopes is not proven whole: {listing.problem}; no scope was deleted",
                partial=False,
            )
        changed = self._changed(listing.rows, self.stored.scopes)
        if listing.complete and not listing.rejections:
            gone = self.stored.scopes.keys() - {row.key for row in listing.rows}
            changed.extend({"id": id_, DELETED: True} for id_ in sorted(gone))
        return {"oauth_scopes": changed, "rejected_rows": self._rejected(OAUTH_SCOPE, listing)}

    def _account(self, reading: AccountReading) -> Rows:
        if isinstance(reading.outcome, CloudflareError):
            return {"account_syncs": [self._account_sync(reading, **failure_columns(reading.outcome))]}
        stored = self.stored.account(reading.account_id)
        listing = keep_stored_fields(
            OAUTH_CLIENT,
            self._fitting(OAUTH_CLIENT, reading.outcome),
            stored,
            self.stored.documents_after,
        )
        # Without what was listed, which would stay in memory.
        self._readings[reading.account_id] = replace(reading, outcome=CloudflareError(""))
        diff = diff_account(
            reading.account_id,
            listing.rows,
            stored,
            self.stored.documents_after,
            self.stored.observed_before,
            may_delete=listing.complete and not listing.rejections,
            max_delete_fraction=self.settings.max_delete_fraction,
            sync_id=self.sync_id,
            observed_at=self.observed_at,
        )
        account_sync = self._account_sync(
            reading,
            **verdict_columns(listing, diff),
            listed=listing.listed,
            reported_total=listing.reported_total,
            baseline=diff.count("baseline"),
            created=diff.count("created"),
            updated=diff.count("updated"),
            deleted=diff.count("deleted"),
            unchanged=diff.unchanged,
            deletes_withheld=len(diff.withheld) if listing.complete else 0,
            rejected=len(listing.rejections) + len(listing.rejected_fields),
            rejected_in_part=len(listing.rejected_fields),
            withheld_clients=withheld_as_text(diff.braked) if listing.complete else None,
        )
        return {
            "oauth_clients": diff.clients,
            "oauth_client_changes": diff.changes,
            "account_syncs": [account_sync],
            "rejected_rows": self._rejected(OAUTH_CLIENT, listing, reading.account_id),
        }

    def _fitting(self, resource: Resource, listing: CheckedListing) -> CheckedListing:
        """The listing without the rows that the destination cannot hold, which are rejected."""
        self._note_dropped(resource.table, listing)
        rows = []
        rejections = list(listing.rejections)
        for row in listing.rows:
            # A row without columns is stored already.
            problem = self.fit_check.problem(resource.table, row) if row.columns else None
            fit = Rejection(row.document, problem) if problem else row
            if problem and not self.limits.may_add_columns:
                fit = without_new_columns(resource, row, self.fit_check)
            if isinstance(fit, Row):
                rows.append(fit)
            else:
                rejections.append(fit)
        return replace(listing, rows=rows, rejections=rejections)

    def _account_sync(self, reading: AccountReading, status: str, **columns: Any) -> JSON:
        """The account's row of `account_syncs`, which is also reported as an event."""
        done = events.AccountDone(
            account_id=reading.account_id,
            status=status,
            **{name: value for name, value in columns.items() if name in _REPORTED},
        )
        self.observer(done)
        return {
            "sync_id": self.sync_id,
            "sync_number": self._sync_number(reading.account_id),
            "started_at": reading.started_at + self.clock_shift,
            "finished_at": reading.finished_at + self.clock_shift,
            "requests": reading.requests,
            "retries": reading.retries,
            "waited_seconds": round(reading.waited_seconds, 3),
            "deletes_withheld": 0,
            **vars(done),
            **columns,
        }

    def _sync_number(self, account_id: str) -> int:
        """A number above those of all earlier syncs, whatever the clocks say."""
        return max(self.sync_number, self.stored.account(account_id).sync_number + 1)

    def _changed(self, rows: Iterable[Row], stored: dict[str, str]) -> list[JSON]:
        return [
            {**row.columns, "content_hash": row.content_hash, "observed_at": self.observed_at}
            for row in rows
            if stored.get(row.key) != row.content_hash
        ]

    def _rejected(
        self, resource: Resource, listing: CheckedListing, account_id: str | None = None
    ) -> list[JSON]:
        found = {
            text_hash(account_id, resource.table, rejection.document, rejection.reason): rejection
            for rejection in listing.rejections + listing.rejected_fields
        }
        return [
            {
                "rejection_id": rejection_id,
                "account_id": account_id,
                "table_name": resource.table,
                "reason": rejection.reason,
                "document": rejection.document,
                "sync_id": self.sync_id,
                "observed_at": self.observed_at,
            }
            for rejection_id, rejection in found.items()
            if rejection_id not in self.stored.rejections
        ]

    def _say_what_was_rejected(self, kind: str, listing: CheckedListing) -> None:
        if listing.rejections:
            self._warn(f"{len(listing.rejections)} {kind} could not be taken; see rejected_rows")
        if listing.rejected_fields:
            self._warn(
                f"{len(listing.rejected_fields)} {kind} were taken without some of their fields; "
                "see rejected_rows"
            )

    def _note_dropped(self, table: str, listing: CheckedListing) -> None:
        # The more there are, the less their exact number says.
        if len(self.dropped) < MOST_NAMES:
            self.dropped.update(f"{table}.{name}" for name in listing.dropped)

    def _say_what_was_dropped(self) -> None:
        if self.dropped:
            self._warn(
                f"fields that may hold secrets were dropped: {some(self.dropped, NAMED_DROPPED_FIELDS)}",
                partial=False,
            )

    def _warn(self, message: str, *, partial: bool = True) -> None:
        self.observer(events.Warned(message, partial))


_CHANGES_OF_AN_ACCOUNT = {"oauth_clients", "oauth_client_changes"}


def _filled(piece: Rows) -> set[str]:
    """The tables that a piece has rows for."""
    return {name for name, rows in piece.items() if rows}


def _account_id(piece: Rows) -> str | None:
    """The account that a piece is about."""
    account_syncs = piece.get("account_syncs")
    return account_syncs[0]["account_id"] if account_syncs else None


_REPORTED = frozenset(events.AccountDone.__dataclass_fields__)


def _with_facts(change: JSON) -> JSON:
    """A row of the change log with its derived columns computed anew."""
    before, after = (
        json.loads(text) if (text := change.get(name)) else None
        for name in ("document_before", "document_after")
    )
    return change | change_facts(before, after) | {"derived_version": DERIVED_VERSION}
