"""Copies Arrow tables into PostgreSQL, as CSV."""

from io import BytesIO
from typing import TYPE_CHECKING, Any

from dlt.destinations.exceptions import DatabaseTransientException
from dlt.destinations.sql_client import SqlClientBase

if TYPE_CHECKING:
    import pyarrow as pa

BYTES_AT_ONCE = 1 << 20


def copy(client: SqlClientBase[Any], table: str, rows: "pa.Table") -> None:
    """Copy rows into a table, in the transaction that is open.

    Texts are quoted and null is not, so that an empty text stays one. (dlt's own job loads it as null.)

    Raises:
        DatabaseTransientException: PostgreSQL refused.
    """
    # Not at the top: importing them takes long, and the first is optional.
    import psycopg2
    from pyarrow.csv import WriteOptions, write_csv

    content = BytesIO()
    write_csv(rows, content, WriteOptions(include_header=False))
    content.seek(0)
    names = ", ".join(map(client.escape_column_name, rows.schema.names))
    statement = (
        f"COPY {client.make_qualified_table_name(table)} ({names}) "
        "FROM STDIN WITH (FORMAT csv, ENCODING 'utf8')"
    )
    try:
        with client.native_connection.cursor() as cursor:
            cursor.copy_expert(statement, content, size=BYTES_AT_ONCE)
    except psycopg2.Error as error:
        raise DatabaseTransientException(error) from error
