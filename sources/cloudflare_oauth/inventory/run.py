"""One sync's way through: accounts, their listings, the comparison, and the rows to write.

Every step yields a `Rows`: the rows to write, by table. Those of one account come in one piece.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .. import events
from ..errors import (
    AuthenticationError,
    CloudflareError,
    ConfigurationError,
    ForbiddenError,
    NotFoundError,
)
from ..reading.reader import AccountReading, Reader
from ..records.canonical import JSON, text_hash
from ..records.enrichment import read_lists
from ..records.tables import DELETED
from ..records.validation import CheckedListing, Rejection, Row
from .diff import AccountDiff, compare

if TYPE_CHECKING:
    # It imports dlt, for which whoever only needs a name from here need not wait.
    from .stored_state import StoredState

DEFAULT_MAX_DELETE_FRACTION = 0.5
NAMED_IN_A_MESSAGE = 5

Rows = dict[str, list[JSON]]


def new_sync_id() -> str:
    """A new id that sorts after those of earlier syncs."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(2)}"


@dataclass(frozen=True, kw_only=True)
class Options:
    """How an inventory is taken.

    `account_ids`: read these and list no accounts; None reads every account that is listed.
    `max_delete_fraction`: of an account's known clients, how many may vanish at once (0 to 1).
    `observed_at`: when what is new counts as first seen, and accounts as read; now by default.
    `resume_since`: accounts that were read and loaded completely since then are not read again.

    Raises:
        ConfigurationError: `max_delete_fraction` is out of its range.
    """

    account_ids: Collection[str] | None = None
    exclude_account_ids: Collection[str] = ()
    max_delete_fraction: float = DEFAULT_MAX_DELETE_FRACTION
    observer: events.Observer = events.ignore
    sync_id: str = field(default_factory=new_sync_id)
    observed_at: datetime | None = None
    resume_since: datetime | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.max_delete_fraction <= 1:
            raise ConfigurationError(
                f"max_delete_fraction is {self.max_delete_fraction}, but it has to be from 0 to 1."
            )


class Inventory:
    """Takes the inventory once."""

    def __init__(self, reader: Reader, stored: "StoredState", options: Options) -> None:
        self.reader = reader
        self.stored = stored
        self.options = options
        now = datetime.now(UTC)
        self.observed_at = options.observed_at or now
        # Added to the moments when accounts are read, for a sync that plays another day.
        self.clock_shift = self.observed_at - now

    def take(self) -> Iterator[Rows]:
        """Read everything and yield what is to be written.

        Raises:
            CloudflareError: the accounts cannot be listed, or there are none. An account that
                cannot be read raises nothing: it has its row in `account_syncs`.
        """
        scopes = self.reader.scopes(self.stored.scopes)
        account_ids, rows = self._discovered() if self.options.account_ids is None else self._named()
        account_ids = self._without_those_done(account_ids)
        self.options.observer(events.AccountsFound(len(account_ids)))
        accounts = ((account_id, self.stored.account(account_id).known) for account_id in account_ids)
        # The reading may begin now; whoever takes the first rows has tables to create.
        readings = self.reader.oauth_clients(accounts)
        if not self.stored.by_account:
            # Every row is going to need them, and the first answers are still on their way.
            read_lists()
        yield rows
        for reading in readings:
            yield self._account(reading) if reading else {}
        yield self._scopes(scopes)

    def _without_those_done(self, account_ids: list[str]) -> list[str]:
        if self.options.resume_since is None:
            return account_ids
        left = []
        for account_id in account_ids:
            completed_at = self.stored.account(account_id).completed_at
            if completed_at is None or completed_at < self.options.resume_since:
                left.append(account_id)
        self._warn(
            f"{len(account_ids) - len(left)} of {len(account_ids)} accounts were read completely since "
            f"{self.options.resume_since:%Y-%m-%d %H:%M} UTC and are left out",
            partial=False,
        )
        return left

    def _discovered(self) -> tuple[list[str], Rows]:
        listing = self.reader.accounts(self.stored.accounts)
        if not listing.rows:
            raise CloudflareError(
                'the credentials see no account: grant "Account Settings Read", or name the accounts'
            )
        rows = [row for row in listing.rows if row.key not in self.options.exclude_account_ids]
        account_ids = [row.key for row in rows]
        if listing.problem:
            self._warn(f"the list of accounts is not proven whole: {listing.problem}; some may be missing")
        if listing.rejections:
            self._warn(f"{len(listing.rejections)} accounts could not be taken; see rejected_rows")
        unlisted = self.stored.by_account.keys() - set(account_ids) - set(self.options.exclude_account_ids)
        if unlisted:
            self._warn(
                f"{len(unlisted)} known accounts are not listed any more and keep their clients: "
                f"{_some(unlisted)}",
                partial=False,
            )
        changed = self._changed(rows, self.stored.accounts)
        for row in changed:
            row["account_id"] = row.pop("id")
        return account_ids, {
            "accounts": changed,
            "rejected_rows": self._rejected("accounts", listing.rejections),
        }

    def _named(self) -> tuple[list[str], Rows]:
        account_ids = [
            id_ for id_ in self.options.account_ids or () if id_ not in self.options.exclude_account_ids
        ]
        # Nothing but the id is known of them; what an earlier listing said of one is kept.
        new = (id_ for id_ in account_ids if id_ not in self.stored.accounts)
        rows: list[JSON] = [{"account_id": id_, "observed_at": self.observed_at} for id_ in new]
        return account_ids, {"accounts": rows}

    def _scopes(self, listing_to_come: Callable[[], CheckedListing]) -> Rows:
        try:
            listing = listing_to_come()
        except CloudflareError as error:
            self._warn(f"{error}. The catalogue of scopes stays as it was", partial=False)
            return {}
        rows, rejections = listing.rows, listing.rejections
        if rejections:
            self._warn(f"{len(rejections)} scopes could not be taken; see rejected_rows")
        changed = self._changed(rows, self.stored.scopes)
        if listing.complete and not rejections:
            gone = self.stored.scopes.keys() - {row.key for row in rows}
            changed.extend({"id": id_, DELETED: True} for id_ in sorted(gone))
        return {"oauth_scopes": changed, "rejected_rows": self._rejected("oauth_scopes", rejections)}

    def _account(self, reading: AccountReading) -> Rows:
        if isinstance(reading.outcome, CloudflareError):
            return {"account_syncs": [self._account_sync(reading, **_failure(reading.outcome))]}
        listing = reading.outcome
        stored = self.stored.account(reading.account_id)
        rejections = listing.rejections
        comparison = compare(
            reading.account_id,
            listing.rows,
            stored,
            self.stored.documents_after,
            may_delete=listing.complete and not rejections,
            max_delete_fraction=self.options.max_delete_fraction,
            sync_id=self.options.sync_id,
            observed_at=self.observed_at,
        )
        account_sync = self._account_sync(
            reading,
            **_verdict(listing, comparison, rejections),
            listed=listing.listed,
            reported_total=listing.reported_total,
            **{change: comparison.count(change) for change in ("baseline", "created", "updated", "deleted")},
            unchanged=comparison.unchanged,
            deletes_withheld=len(comparison.withheld) if listing.complete else 0,
            rejected=len(rejections),
        )
        return {
            "oauth_clients": comparison.clients,
            "oauth_client_changes": comparison.changes,
            "account_syncs": [account_sync],
            "rejected_rows": self._rejected("oauth_clients", rejections, reading.account_id),
        }

    def _account_sync(self, reading: AccountReading, **columns: Any) -> JSON:
        counts = ("baseline", "created", "updated", "deleted", "unchanged", "deletes_withheld", "rejected")
        account_sync = {
            "sync_id": self.options.sync_id,
            "account_id": reading.account_id,
            "started_at": reading.started_at + self.clock_shift,
            "finished_at": reading.finished_at + self.clock_shift,
            "requests": reading.requests,
            "retries": reading.retries,
            "waited_seconds": round(reading.waited_seconds, 3),
            "listed": 0,
            **dict.fromkeys(counts, 0),
            **columns,
        }
        self.options.observer(events.AccountDone(account_sync))
        return account_sync

    def _changed(self, rows: Iterable[Row], stored: dict[str, str]) -> list[JSON]:
        return [
            {**row.columns, "content_hash": row.content_hash, "observed_at": self.observed_at}
            for row in rows
            if stored.get(row.key) != row.content_hash
        ]

    def _rejected(self, table: str, rejections: list[Rejection], account_id: str | None = None) -> list[JSON]:
        found = {
            text_hash(account_id, table, rejection.document, rejection.reason): rejection
            for rejection in rejections
        }
        return [
            {
                "rejection_id": rejection_id,
                "account_id": account_id,
                "table_name": table,
                "reason": rejection.reason,
                "document": rejection.document,
                "sync_id": self.options.sync_id,
                "observed_at": self.observed_at,
            }
            for rejection_id, rejection in found.items()
            if rejection_id not in self.stored.rejections
        ]

    def _warn(self, message: str, *, partial: bool = True) -> None:
        self.options.observer(events.Warned(message, partial))


def _failure(error: CloudflareError) -> JSON:
    """The columns of `account_syncs` for an account that could not be read."""
    match error:
        case AuthenticationError() | ForbiddenError():
            status = "forbidden"
        case NotFoundError():
            status = "not_found"
        case _:
            status = "failed"
    return {
        "status": status,
        "http_status": error.http_status,
        "error_code": error.code,
        "error_message": str(error),
    }


def _verdict(listing: CheckedListing, comparison: AccountDiff, rejections: list[Rejection]) -> JSON:
    """The columns of `account_syncs` that judge an account that was read."""
    if listing.problem:
        message = f"the listing is not proven whole, so nothing was deleted: {listing.problem}"
        return {"status": "incomplete", "error_message": message}
    withheld = comparison.withheld
    if comparison.blocked:
        message = (
            f"{len(withheld)} known clients are not listed any more, more than --max-delete-fraction allows: "
            f"{_some(withheld)}; they were kept. If they are really gone, sync once with "
            "--max-delete-fraction 1"
        )
        return {"status": "delete_blocked", "error_message": message}
    if rejections:
        message = f"{len(rejections)} rows could not be loaded (see rejected_rows), so nothing was deleted"
        return {"status": "complete", "error_message": message}
    return {"status": "complete"}


def _some(names: Collection[str]) -> str:
    named = sorted(names)[:NAMED_IN_A_MESSAGE]
    more = len(names) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
