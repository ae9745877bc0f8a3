"""The renewal of the stored views: all of them or none, and nothing of a user's is dropped, replaced or lost.

A view is known as ours by its comment, which ends in a fingerprint of its query; a view whose fingerprint is
the current one is left alone. A view that something of a user's depends on keeps its columns in their order
and gets new ones at its end, or is not renewed.
"""

import hashlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import dlt
import sqlglot
from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.job_client_impl import SqlJobClientBase

from cloudflare_oauth import declared_schema, events, masked

from ...destinations.adapter import Adapter
from ...destinations.dataset import tables_of, translated
from ...destinations.stored_views import Client, Relation, Statement, StoredViews
from ..rules import literal
from ..waivers import Waiver
from . import View, load_views

# Another sync may be renewing them at the same time, and an analyst may have locked one.
ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.1
LONGEST_REASON = 300

_OUR_COMMENT = re.compile(r"Each row is .*\[[0-9a-f]{12}\]", re.DOTALL)

# A column: its name, its type, and the type's precision and scale, as DB-API describes them.
_Column = tuple[Any, ...]


@dataclass(frozen=True)
class _Wanted:
    """A view as it should be stored: its query in DuckDB's dialect, and its comment."""

    view: View
    query: str
    comment: str

    @cached_property
    def reads(self) -> frozenset[str]:
        """The views that it reads; parsing takes a while, and most often nothing is to be renewed."""
        return frozenset(tables_of(self.view.query) & load_views().keys())


class _ImpossibleError(Exception):
    """A view that had to be dropped cannot be created again, so that nothing may be changed."""


def renew_views(
    pipeline: dlt.Pipeline, adapter: Adapter, waivers: Sequence[Waiver]
) -> Iterator[events.Warned]:
    """Create the views that are missing, renew those that are outdated, and yield what could not be done.

    A destination without SQL has no views. What is stale because of it makes the sync partial.
    """
    with pipeline.dataset(schema=declared_schema()).destination_client as job_client:
        if not isinstance(job_client, SqlJobClientBase):
            return
        client = job_client.sql_client
        wanted: dict[str, _Wanted] = {}
        for name, view in load_views().items():
            query = view.select(waivers)
            fingerprint = hashlib.blake2b(query.encode(), digest_size=6).hexdigest()
            wanted[name] = _Wanted(view, query, f"{view.row} [{fingerprint}]")
        if adapter.stored_views is None:
            yield from _recreated(client, adapter, wanted)
        else:
            yield from _renewed(client, adapter, adapter.stored_views, wanted)


def _renewed(
    client: Client, adapter: Adapter, stored: StoredViews, wanted: Mapping[str, _Wanted]
) -> Iterator[events.Warned]:
    sentence = "the views could not be renewed, because others keep renewing them: run the sync again"
    for attempt in range(ATTEMPTS):
        found = stored.relations(client, wanted)
        renewal = _Renewal(client, adapter, stored, wanted, found)
        if not renewal.is_needed:
            yield from renewal.warnings()
            return
        renewal.look_at_columns()
        is_done = False
        try:
            with client.begin_transaction():
                stored.lock(client)
                # If not, another sync has renewed them while this one waited.
                if stored.relations(client, wanted) == found:
                    renewal.run()
                    is_done = True
        except _ImpossibleError:
            is_done = True
        except (DatabaseException, sqlglot.ParseError, sqlglot.errors.UnsupportedError) as error:
            sentence = f"the views could not be renewed and stay as they were: {_reason(error)}"
            time.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
            continue
        if is_done:
            yield from renewal.warnings()
            return
    if _Renewal(client, adapter, stored, wanted, stored.relations(client, wanted)).is_needed:
        yield events.Warned(sentence, partial=True)


@dataclass
class _Renewal:
    """One attempt to renew the views, within a transaction."""

    client: Client
    adapter: Adapter
    stored: StoredViews
    wanted: Mapping[str, _Wanted]
    found: Mapping[str, Relation]
    columns: dict[str, list[_Column]] = field(default_factory=dict)
    # Why a view is left as it is, in a sentence, or else because of which other view.
    refused: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    lost: dict[str, list[Statement]] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    renewed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name, relation in self.found.items():
            if relation.kind != "view" or not _OUR_COMMENT.fullmatch(relation.comment or ""):
                self.refused[name] = (
                    f"{self.client.dataset_name}.{name} is a {relation.kind} that this program did not make, "
                    f"so its own view of that name is missing: rename yours, or choose another --dataset"
                )
        for name, view in self.wanted.items() if self.refused else ():
            if root := next((other for other in view.reads if other in self.refused | self.left), None):
                self.left.setdefault(name, self.left.get(root, root))

    @property
    def is_needed(self) -> bool:
        """Whether a view is missing or outdated that can be renewed as far as is known."""
        return any(self._is_outdated(name) for name in self.wanted if not self._is_left(name))

    def warnings(self) -> Iterator[events.Warned]:
        """What was not renewed, and why."""
        for name, sentence in self.refused.items():
            others = [other for other, root in self.left.items() if root == name and self._is_outdated(other)]
            also = f" (and so {', '.join(others)}, made from it, cannot be renewed)" if others else ""
            yield events.Warned(sentence + also, partial=True)

    def look_at_columns(self) -> None:
        """Note the columns of the views before one of them changes."""
        for name in self.found.keys() - self.refused.keys():
            try:
                self.columns[name] = self._columns(self._qualified(name))
            except DatabaseException:
                # What it reads has changed or is gone: there is nothing to keep.
                self.columns[name] = []

    def run(self) -> None:
        """Renew the views, each after those that it reads.

        Raises:
            _ImpossibleError: a view would be lost.
            DatabaseException: the destination refused.
        """
        for name, view in self.wanted.items():
            if root := next((other for other in view.reads if self._is_left(other)), None):
                self.left.setdefault(name, self.left.get(root, root))
            if self._is_left(name):
                continue
            # DuckDB's views, too, are to have the types of what they read.
            if self._is_outdated(name) or name in self.dropped or view.reads & self.renewed:
                self._renew(name, view)
        if self.dropped - self.renewed:
            raise _ImpossibleError

    def _renew(self, name: str, view: _Wanted) -> None:
        query = view.query
        if not self.adapter.is_native_to_views(self.client):
            query = translated(query, self.client)
        columns: list[_Column] = []
        if name in self.found and name not in self.dropped:
            columns = self._columns(f"({query})")
            old = self.columns[name]
            if columns[: len(old)] != old:
                dependents = self.stored.dependents(self.client, name)
                foreign = [described for other, described in dependents if (other or "") not in self._ours()]
                if not foreign:
                    self._drop(name, [other for other, _ in dependents if other is not None])
                elif vanishing := [column[0] for column in old if column not in columns]:
                    self.refused[name] = (
                        f"the view {name} stays as it was: {' and '.join(foreign)} would lose its columns "
                        f"{', '.join(vanishing)}, or their type. Drop what depends on it, run the sync, "
                        "and create it again"
                    )
                    return
                else:
                    query = self._in_order(query, old, columns)
        self._create(name, query)
        self.client.execute_sql(f"COMMENT ON VIEW {self._qualified(name)} IS {literal(view.comment)}")
        self.renewed.add(name)

    def _create(self, name: str, query: str) -> None:
        qualified = self._qualified(name)
        # Never `OR REPLACE` where there was none: what has appeared since is not ours.
        is_new = name not in self.found or name in self.dropped
        lost = self.lost.get(name, [])
        if not is_new and name not in self.lost:
            lost = self.stored.lost(self.client, name, dropped=False)
        self.client.execute_sql(f"CREATE {'' if is_new else 'OR REPLACE '}VIEW {qualified} AS {query}")
        if name in self.dropped:
            self.stored.clear(self.client, name)
        if lost:
            names = {column[0] for column in self._columns(f"({query})")}
            for column_name, sql in lost:
                if column_name is None or column_name in names:
                    self.client.execute_sql(sql)

    def _drop(self, name: str, dependents: Sequence[str]) -> None:
        """Drop a view and those of ours that depend on it, where it cannot be replaced."""
        if self.stored.replaces_any_columns:
            return
        for other in reversed(list(self.wanted)):
            if other == name or other in dependents:
                self.lost[other] = self.stored.lost(self.client, other, dropped=True)
                self.client.execute_sql(f"DROP VIEW {self._qualified(other)}")
                self.dropped.add(other)
                self.renewed.discard(other)

    def _in_order(self, query: str, old: Sequence[_Column], columns: Sequence[_Column]) -> str:
        """The query with the old columns in their order and new ones after them."""
        names = [column[0] for column in [*old, *(column for column in columns if column not in old)]]
        listed = ", ".join(self.client.escape_column_name(name) for name in names)
        return f"SELECT {listed} FROM ({query}) AS renewed"

    def _columns(self, relation: str) -> list[_Column]:
        with self.client.execute_query(f"SELECT * FROM {relation} AS described WHERE FALSE") as cursor:
            return [
                (name, str(type_code), precision, scale)
                for name, type_code, _, _, precision, scale, _ in cursor.description
            ]

    def _ours(self) -> set[str]:
        return self.wanted.keys() - self.refused.keys()

    def _is_outdated(self, name: str) -> bool:
        return name not in self.found or self.found[name].comment != self.wanted[name].comment

    def _is_left(self, name: str) -> bool:
        return name in self.refused or name in self.left

    def _qualified(self, name: str) -> str:
        return self.client.make_qualified_table_name(name)


def _recreated(client: Client, adapter: Adapter, wanted: Mapping[str, _Wanted]) -> Iterator[events.Warned]:
    """Create all views anew where nothing tells which are outdated, and warn of those that fail."""
    in_transaction = client.capabilities.supports_ddl_transactions
    for name, view in wanted.items():
        qualified = client.make_qualified_table_name(name)
        try:
            query = view.query if adapter.is_native_to_views(client) else translated(view.query, client)
            try:
                client.execute_sql(f"CREATE OR REPLACE VIEW {qualified} AS {query}")
            except DatabaseException:
                # Most destinations cannot replace a view with one that has different columns.
                with client.begin_transaction() if in_transaction else nullcontext():
                    client.execute_sql(f"DROP VIEW IF EXISTS {qualified}")
                    client.execute_sql(f"CREATE VIEW {qualified} AS {query}")
        except (DatabaseException, sqlglot.ParseError, sqlglot.errors.UnsupportedError) as error:
            # Not partial: such a destination may never have had the view.
            yield events.Warned(f"the view {name} could not be created: {_reason(error)}", partial=False)


def _reason(error: Exception) -> str:
    return " ".join(masked(str(error)).split())[:LONGEST_REASON]
