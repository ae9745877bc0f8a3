"""Copies Arrow tables into PostgreSQL, by way of CSV files."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from dlt.destinations.exceptions import DatabaseTransientException
from dlt.destinations.sql_client import SqlClientBase

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.csv import CSVWriter

_BYTES_AT_ONCE = 1 << 20


class CsvFiles:
    """A CSV file for each table, in a temporary folder.

    Texts are quoted and null is not, so that an empty text stays one. (dlt's own job loads it as null.)
    """

    def __init__(self) -> None:
        self._writers: dict[str, tuple[Path, list[str], CSVWriter]] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        self._folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="copy-")))
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def write(self, name: str, rows: "pa.Table") -> None:
        """Append rows to the file of a table."""
        # Not at the top: importing Arrow takes long, and a sync of nothing new never needs it.
        from pyarrow.csv import CSVWriter, WriteOptions

        if name not in self._writers:
            path = self._folder / f"{name}.csv"
            writer = CSVWriter(path, rows.schema, write_options=WriteOptions(include_header=False))
            self._writers[name] = (path, rows.schema.names, self._closing.enter_context(writer))
        self._writers[name][2].write_table(rows)

    def close(self) -> None:
        """End the files."""
        for _, _, writer in self._writers.values():
            writer.close()

    def copy(self, client: SqlClientBase[Any]) -> None:
        """Copy the files into the tables, in the transaction that is open.

        Raises:
            DatabaseTransientException: PostgreSQL refused.
        """
        # Not at the top: it is optional.
        import psycopg2

        for name, (path, columns, _) in self._writers.items():
            table = client.make_qualified_table_name(name)
            names = ", ".join(map(client.escape_column_name, columns))
            with path.open("rb") as file, client.native_connection.cursor() as cursor:
                try:
                    cursor.copy_expert(
                        f"COPY {table} ({names}) FROM STDIN WITH (FORMAT csv, ENCODING 'utf8')",
                        file,
                        size=_BYTES_AT_ONCE,
                    )
                except psycopg2.Error as error:
                    raise DatabaseTransientException(error) from error
