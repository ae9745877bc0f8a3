"""Appends what is new to a dataset, without a merge.

dlt stages rows and merges them, which writes each of them twice. The rows of an account of which the dataset
has nothing, as on a first sync, and those of a sync of nothing new replace nothing: they can be appended, as
one load with a row in dlt's own table of loads. Everything else goes through dlt.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.normalizers.utils import generate_dlt_ids
from dlt.common.storages.load_package import create_load_id
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import SqlClientBase

from cloudflare_oauth.inventory import Inventory, Rows
from cloudflare_oauth.records import JSON, TABLES

from .adapter import Adapter, DatasetLock, load_by_dlt
from .batch import Batch, Piece

if TYPE_CHECKING:
    import pyarrow as pa

    from .arrow_tables import ArrowTables, Write

# A statement with more values takes long to parse.
ROWS_PER_STATEMENT = 100
IDS_PER_QUERY = 500

# What no other row of the dataset may have, where a row is to be new.
_KEYS = {
    "accounts": "account_id",
    "oauth_scopes": "id",
    "oauth_clients": "account_id",
    "oauth_client_changes": "account_id",
    "rejected_rows": "rejection_id",
}


class NewRows:
    """Takes the new pieces of a batch, of plain rows alone, and converts them to Arrow tables.

    Args:
        write: called with the tables, while pieces are taken; by default they are kept in `tables`.
        leaves_few: leave the rows of a sync of nothing new to `insert_few`, so that they need no Arrow.
    """

    def __init__(
        self,
        inventory: Inventory,
        capabilities: DestinationCapabilitiesContext,
        *,
        write: "Write | None" = None,
        leaves_few: bool = True,
    ) -> None:
        self.load_id = create_load_id()
        self.tables: dict[str, list[pa.Table]] = {}
        self.is_empty = True
        self._inventory = inventory
        self._capabilities = capabilities
        # No method of this object: it would refer to itself, and its rows stay until garbage is collected.
        self._write = write or partial(_keep, self.tables)
        self._leaves_few = leaves_few
        self._few: list[JSON] = []
        self._keys: dict[str, set[str]] = {name: set() for name in _KEYS}
        self._retyped: set[str] = set()
        self._converter: ArrowTables | None = None

    def take(self, piece: Piece) -> bool:
        """Take a piece if it is new and plain; returns whether it was taken."""
        if not self._inventory.is_new(piece.content):
            return False
        if self._leaves_few and is_uneventful(piece):
            self._few += piece.content.get("account_syncs", [])
        elif piece.rows and not self._converted(piece):
            return False
        for name, key in _KEYS.items():
            self._keys[name].update(row[key] for row in piece.content.get(name, ()))
        self.is_empty = self.is_empty and not piece.rows
        return True

    def flush(self) -> None:
        """Convert what is left."""
        if self._converter:
            self._converter.flush()

    def insert_few(self, client: SqlClientBase[Any]) -> None:
        """Insert the rows that were not converted."""
        for start in range(0, len(self._few), ROWS_PER_STATEMENT):
            self._insert(client, "account_syncs", self._few[start : start + ROWS_PER_STATEMENT])

    def any_is_known(self, client: SqlClientBase[Any]) -> bool:
        """Whether the dataset has any of it by now, as a killed sync may have left it."""
        for name, keys in self._keys.items():
            ids = sorted(keys)
            for start in range(0, len(ids), IDS_PER_QUERY):
                some = ids[start : start + IDS_PER_QUERY]
                if client.execute_sql(
                    f"SELECT 1 FROM {client.make_qualified_table_name(name)} "
                    f"WHERE {client.escape_column_name(_KEYS[name])} IN ({', '.join(['%s'] * len(some))}) "
                    "LIMIT 1",
                    *some,
                ):
                    return True
        return False

    def _converted(self, piece: Piece) -> bool:
        # Not at the top: importing Arrow takes long, and a sync of nothing new seldom needs it.
        from .arrow_tables import ArrowTables, is_plain, tables_of_other_types

        if self._converter is None:
            self._retyped = tables_of_other_types(self._inventory.stored.tables)
            self._converter = ArrowTables(self._capabilities, self.load_id, self._write)
        for name, rows in piece.content.items():
            if rows and (name in self._retyped or not all(is_plain(name, row) for row in rows)):
                return False
        for name, rows in piece.content.items():
            self._converter.add(name, rows, piece)
        return True

    def _insert(self, client: SqlClientBase[Any], table: str, rows: list[JSON]) -> None:
        names = [*(column.name for column in TABLES[table][1]), "_dlt_load_id", "_dlt_id"]
        values = [
            ({"_dlt_load_id": self.load_id, "_dlt_id": dlt_id} | row).get(name)
            for row, dlt_id in zip(rows, generate_dlt_ids(len(rows)), strict=True)
            for name in names
        ]
        one = f"({', '.join(['%s'] * len(names))})"
        client.execute_sql(
            f"INSERT INTO {client.make_qualified_table_name(table)} "
            f"({', '.join(map(client.escape_column_name, names))}) "
            f"VALUES {', '.join([one] * len(rows))}",
            *values,
        )


def _keep(tables: "dict[str, list[pa.Table]]", name: str, rows: "pa.Table") -> None:
    tables.setdefault(name, []).append(rows)


def is_uneventful(piece: Piece) -> bool:
    """Whether a piece has only rows of `account_syncs`, and no text from outside."""
    return all(
        name == "account_syncs" and not any(row["error_message"] or row["withheld_clients"] for row in rows)
        for name, rows in piece.content.items()
        if rows
    )


@contextmanager
def transaction(pipeline: dlt.Pipeline, inventory: Inventory) -> Iterator[SqlJobClientBase]:
    """A client of the dataset in a transaction, which is committed if the context ends without an error."""
    with pipeline.dataset(schema=inventory.stored.schema).destination_client as client:
        assert isinstance(client, SqlJobClientBase)  # noqa: S101  # only SQL destinations have one
        with client.sql_client.begin_transaction():
            yield client


def append_in_transaction(
    pipeline: dlt.Pipeline,
    inventory: Inventory,
    new: NewRows,
    insert: "Callable[[SqlClientBase[Any], str, pa.Table], None]",
    lock: DatasetLock,
) -> bool:
    """Append everything or nothing; returns whether it could, because none of it was known.

    Args:
        insert: inserts rows into a table, by its name.
    """
    with transaction(pipeline, inventory) as client:
        if new.any_is_known(client.sql_client):
            return False
        for name, tables in new.tables.items():
            for table in tables:
                insert(client.sql_client, name, table)
        new.insert_few(client.sql_client)
        client.complete_load(new.load_id)
        lock.check()
    return True


def append_and_load(
    adapter: Adapter,
    pipeline: dlt.Pipeline,
    batch: Batch,
    inventory: Inventory,
    new: NewRows,
    append: Callable[[DatasetLock], bool],
) -> None:
    """Append what is new of a batch, and load the rest by dlt, where other syncs may write meanwhile.

    Args:
        append: appends `new` while the lock is held; returns whether it could, because none of it was known.
    """
    # It takes a while to make, and now the reader is busy, and this process is not.
    _ = inventory.stored.schema
    read: list[Rows] = []
    rest: list[Rows] = []
    for piece in batch:
        read.append(piece.content)
        if not new.take(piece):
            rest.append(piece.content)
    new.flush()
    with adapter.lock(pipeline) as lock:
        true = inventory.still_true(read)
        if true != read or not (new.is_empty or append(lock)):
            # Some of it has been overtaken: all that is still true is merged.
            rest = true
        if any(rows for piece in rest for rows in piece.values()):
            load_by_dlt(pipeline, adapter.prepared(rest), lock)
