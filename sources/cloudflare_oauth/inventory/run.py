"""One sync's inventory: lists the accounts and their clients, compares, and yields the rows to write.

Every step yields a `Rows`: the rows to write, by table. The rows of one account come in one piece.
"""

import secrets
from collections.abc import Callable, Collection, Generator, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .. import events
from ..errors import AuthenticationError, CloudflareError, ForbiddenError, NotFoundError
from ..reading import AccountReading, CheckedListing, Reader
from ..records import DELETED, JSON, Rejection, Row, load_bundled_lists, text_hash
from ..resources import ACCOUNT, OAUTH_CLIENT, OAUTH_SCOPE
from ..settings import SyncSettings
from .brake import withheld_as_text
from .diff import AccountDiff, diff_account

if TYPE_CHECKING:
    # It imports dlt, which a caller that only needs a name from here need not wait for.
    from .stored_state import StoredState

NAMED_IN_A_MESSAGE = 5

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
        observer: events.Observer = events.ignore,
        sync_id: str | None = None,
    ) -> None:
        self.reader = reader
        self.stored = stored
        self.settings = settings
        self.observer = observer
        self.sync_id = sync_id or new_sync_id()
        self.sync_number = stored.sync_number + 1
        now = datetime.now(UTC)
        self.observed_at = settings.observed_at or now
        # Added to the times at which accounts are read, for a sync that plays another day.
        self.clock_shift = self.observed_at - now
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
        scopes = self.reader.begin(OAUTH_SCOPE, self.stored.scopes)
        account_ids, rows = self._listed() if self.settings.account_ids is None else self._named()
        account_ids = self._to_resume(account_ids)
        self.observer(events.AccountsFound(len(account_ids)))
        accounts = ((account_id, self.stored.account(account_id).known) for account_id in account_ids)
        readings = self.reader.read_accounts(OAUTH_CLIENT, accounts)
        if not self.stored.by_account:
            # Every row of a first sync needs them, and the first responses are still on their way.
            load_bundled_lists()
        on_listed()
        yield rows
        for reading in readings:
            yield self._account(reading) if reading else {}
        yield self._scopes(scopes)

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
        listing = self.reader.begin(ACCOUNT, self.stored.accounts)()
        if not listing.rows:
            raise CloudflareError(
                'the credentials see no account: grant "Account Settings Read", or name the accounts'
            )
        excluded = self.settings.exclude_account_ids
        rows = [row for row in listing.rows if row.key not in excluded]
        account_ids = [row.key for row in rows]
        if listing.problem:
            self._warn(f"the list of accounts is not proven whole: {listing.problem}; some may be missing")
        if listing.rejections:
            self._warn(f"{len(listing.rejections)} accounts could not be taken; see rejected_rows")
        unlisted = self.stored.by_account.keys() - set(account_ids) - set(excluded)
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
        """The accounts that the settings name."""
        excluded = self.settings.exclude_account_ids
        account_ids = [id_ for id_ in self.settings.account_ids or () if id_ not in excluded]
        # Only the id of a new account is known; a row from an earlier listing is kept.
        new = (id_ for id_ in account_ids if id_ not in self.stored.accounts)
        rows: list[JSON] = [{"account_id": id_, "observed_at": self.observed_at} for id_ in new]
        return account_ids, {"accounts": rows}

    def _scopes(self, wait: Callable[[], CheckedListing]) -> Rows:
        try:
            listing = wait()
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
        rejections = listing.rejections
        diff = diff_account(
            reading.account_id,
            listing.rows,
            self.stored.account(reading.account_id),
            self.stored.documents_after,
            may_delete=listing.complete and not rejections,
            max_delete_fraction=self.settings.max_delete_fraction,
            sync_id=self.sync_id,
            observed_at=self.observed_at,
        )
        account_sync = self._account_sync(
            reading,
            **_verdict(listing, diff, rejections),
            listed=listing.listed,
            reported_total=listing.reported_total,
            baseline=diff.count("baseline"),
            created=diff.count("created"),
            updated=diff.count("updated"),
            deleted=diff.count("deleted"),
            unchanged=diff.unchanged,
            deletes_withheld=len(diff.withheld) if listing.complete else 0,
            rejected=len(rejections),
            withheld_clients=withheld_as_text(diff.braked) if listing.complete else None,
        )
        return {
            "oauth_clients": diff.clients,
            "oauth_client_changes": diff.changes,
            "account_syncs": [account_sync],
            "rejected_rows": self._rejected("oauth_clients", rejections, reading.account_id),
        }

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
                "sync_id": self.sync_id,
                "observed_at": self.observed_at,
            }
            for rejection_id, rejection in found.items()
            if rejection_id not in self.stored.rejections
        ]

    def _warn(self, message: str, *, partial: bool = True) -> None:
        self.observer(events.Warned(message, partial))


_REPORTED = frozenset(events.AccountDone.__dataclass_fields__)


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


def _verdict(listing: CheckedListing, diff: AccountDiff, rejections: list[Rejection]) -> dict[str, Any]:
    """The columns of `account_syncs` that judge an account that was read."""
    if listing.problem:
        message = f"the listing is not proven whole, so nothing was deleted: {listing.problem}"
        return {"status": "incomplete", "error_message": message}
    messages = []
    if diff.blocked:
        messages.append(
            f"{len(diff.braked)} known clients are not listed any more, more than --max-delete-fraction "
            f"allowed to vanish at once: {_some(diff.braked)}; they are kept. If they are "
            "really gone, sync once with --max-delete-fraction 1"
        )
    if rejections:
        messages.append(
            f"{len(rejections)} rows could not be loaded (see rejected_rows), so nothing was deleted"
        )
    status = "delete_blocked" if diff.blocked else "complete"
    return {"status": status, "error_message": ". ".join(messages)} if messages else {"status": status}


def _some(names: Collection[str]) -> str:
    named = sorted(names)[:NAMED_IN_A_MESSAGE]
    more = len(names) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
