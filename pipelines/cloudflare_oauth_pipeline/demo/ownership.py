"""Which files the demo may write into: new ones, and those that a demo has made."""

import re
from collections.abc import Set as AbstractSet
from pathlib import Path

import duckdb

from cloudflare_oauth import BusyError, ConfigurationError

from ..destinations.target import DEFAULT_DATASET

# Each has the account of every row; together they name every account of a dataset.
_TABLES = ("accounts", "oauth_clients", "account_syncs")
_SCHEMAS = "SELECT DISTINCT schema_name FROM duckdb_tables() WHERE NOT internal"


def check_made_by_demo(file: Path, demo_accounts: AbstractSet[str]) -> None:
    """Check that a DuckDB file does not exist, is empty, or holds the accounts of the demo and no others.

    Raises:
        BusyError: another process has it open.
        ConfigurationError: it holds anything else; it was only read.
    """
    if not file.exists():
        return
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            schemas = {name for (name,) in connection.execute(_SCHEMAS).fetchall()}
            accounts = _accounts(connection) if schemas else set()
    except duckdb.Error as error:
        if re.search("Could not set lock", str(error)):
            raise BusyError(f"{file} is open in another process: close it and run again") from None
        raise _not_ours(file) from None
    # A demo that was stopped at once has made no table.
    foreign = schemas - {DEFAULT_DATASET, f"{DEFAULT_DATASET}_staging"}
    if foreign or (schemas and not accounts) or accounts - demo_accounts:
        raise _not_ours(file)


def _accounts(connection: duckdb.DuckDBPyConnection) -> set[str]:
    query = " UNION ".join(f"SELECT account_id FROM {DEFAULT_DATASET}.{table}" for table in _TABLES)
    return {account_id for (account_id,) in connection.execute(query).fetchall()}


def _not_ours(file: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{file} was not made by a demo, which writes only into files of its own: name one that does not "
        "exist with --db, or remove this one if it is of no use."
    )
