"""What a dataset must hold after any sequence of syncs: a model of the promises, in plain Python.

It shares no code with the program. Documents are compared by their content, as text: null, absent, `[]` and
`{}` are the same, and the order of an array is none.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.support import reconstruction
from tests.support.warehouses import Postgres, Rows, Warehouse

SMALLEST_GUARDED_ACCOUNT = 10

Document = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """A row of the change log: what happened, and the client's documents before and after."""

    change: str
    before: Document | None
    after: Document | None


@dataclass
class Account:
    """One account's clients and their log, as they must be stored.

    Attributes:
        stored: for each client the documents with its content, in the order in which they were read; the
            array elements of one of them are stored in its order.
        log: the changes of each client.
        rejected: the clients that could not be loaded, ever, and those that could without some fields.
        withheld: clients whose deletion was withheld, each with the smallest fraction that lets it go.
    """

    stored: dict[str, list[Document]] = field(default_factory=dict)
    log: dict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    rejected: set[tuple[str, bool]] = field(default_factory=set)
    baselined: bool = False
    last_listed: int | None = None
    withheld: dict[str, Fraction] = field(default_factory=dict)

    def read(self, documents: list[Document], *, provable: bool, max_delete_fraction: float) -> str:
        """Take over a listing; returns the account's status."""
        listed = {one["client_id"]: one for one in documents if not _is_unfit(one)}
        rejected = {one["client_id"] for one in documents} - listed.keys()
        self.rejected |= {(id_, False) for id_ in rejected}
        self.rejected |= {(one["client_id"], True) for one in documents if _is_unfit_in_part(one)}
        gone = self.stored.keys() - listed.keys()
        allowed = Fraction(str(max_delete_fraction))
        kept = {id_: share for id_, share in self.withheld.items() if id_ in gone and share > allowed}
        may_delete = provable and not rejected
        if may_delete:
            kept |= self._newly_withheld(gone, bool(kept), allowed)
        for client_id, document in listed.items():
            self._take_over(client_id, document)
        for client_id in gone - kept.keys() if may_delete else ():
            (*_, last) = self.stored.pop(client_id)
            self.log[client_id].append(Change("deleted", last, None))
        if not provable:
            return "incomplete"
        self.baselined = True
        if not rejected:
            self.last_listed = len(listed)
            self.withheld = kept
        return "delete_blocked" if kept else "complete"

    def _newly_withheld(self, gone: set[str], some_are: bool, allowed: Fraction) -> dict[str, Fraction]:
        new = gone - self.withheld.keys()
        there = len(self.stored) - len(gone - new)
        if self.last_listed is not None and self.last_listed >= SMALLEST_GUARDED_ACCOUNT:
            there = min(there, self.last_listed)
        share = min(Fraction(1), Fraction(len(new), max(there, 1)))
        guarded = len(self.stored) >= SMALLEST_GUARDED_ACCOUNT or some_are
        return dict.fromkeys(new, share) if guarded and share > allowed else {}

    def _take_over(self, client_id: str, document: Document) -> None:
        known = self.stored.get(client_id)
        if known and _is_unfit_in_part(document):
            # Nothing tells that it has changed.
            document = {**document, "client_uri": known[-1].get("client_uri")}
        document = _usable(document)
        if known is None:
            is_new = self.baselined or client_id in self.log
            self.log[client_id].append(Change("created" if is_new else "baseline", None, document))
        elif content(known[-1]) == content(document):
            known.append(document)
            return
        else:
            self.log[client_id].append(Change("updated", known[-1], document))
        self.stored[client_id] = [document]


def _is_unfit(document: Document) -> bool:
    """Whether a document cannot be loaded; the only reason that the documents of the model have."""
    return "derivedVersion" in document


def _is_unfit_in_part(document: Document) -> bool:
    """Whether it is loaded without a field; the only one of the model's documents."""
    return type(document.get("client_uri")) is int and not _is_unfit(document)


def _usable(document: Document) -> Document:
    """What is taken of a document: an empty text is no time, and a number no URI."""
    unusable = {"promoted_at"} if document.get("promoted_at") == "" else set()
    if _is_unfit_in_part(document):
        unusable.add("client_uri")
    return {name: value for name, value in document.items() if name not in unusable}


def content(value: Any, *, jsonb: bool = False) -> str:
    """The content of a JSON value as text.

    Args:
        jsonb: without what PostgreSQL's `jsonb` does not keep: NUL, and 1e16 instead of 10000000000000000.
    """
    return _text(_content(value, jsonb))


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _content(value: Any, jsonb: bool) -> Any:
    if isinstance(value, dict):
        inner = {name: _content(item, jsonb) for name, item in value.items()}
        return {name: item for name, item in inner.items() if item is not None} or None
    if isinstance(value, list):
        return sorted((_content(item, jsonb) for item in value), key=_text) or None
    if jsonb and isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if jsonb and type(value) in (int, float) and abs(value) >= 1e16:
        return float(value)
    return value


def changed_fields(before: Document, after: Document, *, jsonb: bool = False) -> list[str]:
    """The sorted names of the fields whose content differs."""
    names = before.keys() | after.keys()
    old, new = (
        {name: content(document.get(name), jsonb=jsonb) for name in names} for document in (before, after)
    )
    return sorted(name for name in names if old[name] != new[name])


def check(warehouse: Warehouse, accounts: dict[str, Account]) -> None:
    """The tables, the log and the rejected rows are those of the model."""
    is_postgres = isinstance(warehouse, Postgres)

    def form(document: Document, *, ordered: bool = False) -> Document:
        if is_postgres:
            document = json.loads(json.dumps(document).replace(r"\u0000", r"\ufffd"))
        return reconstruction.comparable(document, ordered=ordered)

    tables = warehouse.everything()
    stored = {id_: account.stored for id_, account in accounts.items() if account.stored}
    found = reconstruction.clients_in(tables)
    assert found == {
        account_id: {client_id: form(documents[-1]) for client_id, documents in clients.items()}
        for account_id, clients in stored.items()
    }
    for account_id, clients in reconstruction.clients_in(tables, ordered=True).items():
        for client_id, client in clients.items():
            orders = [form(document, ordered=True) for document in stored[account_id][client_id]]
            assert client in orders
    found_log: dict[tuple[str, str], Rows] = defaultdict(list)
    for row in reconstruction.log_in(tables):
        found_log[row["account_id"], row["client_id"]].append(row)
    expected_log = {
        (account_id, client_id): changes
        for account_id, account in accounts.items()
        for client_id, changes in account.log.items()
    }
    assert {key: [row["change"] for row in rows] for key, rows in found_log.items()} == {
        key: [change.change for change in changes] for key, changes in expected_log.items()
    }
    for key, changes in expected_log.items():
        for row, change in zip(found_log[key], changes, strict=True):
            check_change(row, change, jsonb=is_postgres)
    rejected = {
        (row["account_id"], json.loads(row["document"])["client_id"], "the rest of" in row["reason"])
        for row in tables["rejected_rows"]
    }
    assert rejected == {
        (account_id, *client) for account_id, account in accounts.items() for client in account.rejected
    }


def check_change(row: Document, change: Change, *, jsonb: bool) -> None:
    """A row of the log has the documents of the model's change, and names the fields that differ."""
    assert content(row["document_before"], jsonb=jsonb) == content(change.before, jsonb=jsonb)
    assert content(row["document_after"], jsonb=jsonb) == content(change.after, jsonb=jsonb)
    if change.before is None or change.after is None:
        assert row["changed_fields"] is None
        return
    fields = changed_fields(change.before, change.after, jsonb=jsonb)
    # What only `jsonb` makes equal has changed.
    assert row["changed_fields"] == fields or not fields
