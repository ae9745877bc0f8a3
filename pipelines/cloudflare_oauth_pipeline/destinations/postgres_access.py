"""How PostgreSQL is reached: addresses as libpq takes them, refusals in a sentence, and the role's rights."""

import re
from collections import defaultdict
from typing import Any, Optional

from dlt.common.configuration import configspec
from dlt.common.typing import TSecretStrValue
from dlt.destinations.impl.postgres.configuration import PostgresClientConfiguration, PostgresCredentials
from dlt.destinations.sql_client import SqlClientBase

from cloudflare_oauth import DestinationError
from cloudflare_oauth.records import TABLES

_SETTINGS = "DESTINATION__POSTGRES__CREDENTIALS, or [destination.postgres.credentials] in .dlt/secrets.toml"
_REFUSALS = (
    (
        r'database "(.+?)" does not exist',
        "there is no database {0!r}: create it, or correct the address",
    ),
    (
        r'role "(.+?)" does not exist|\w+ authentication failed|no password supplied'
        r"|no pg_hba\.conf entry",
        "PostgreSQL does not accept the login ({reason}): correct the role and its password",
    ),
    (
        r"could not translate host name|[Nn]ame or service not known|nodename nor servname",
        "there is no such host ({reason}): correct the address",
    ),
    (
        r"Connection refused|timeout expired|No route to host|Network is unreachable|timed out"
        r"|No such file or directory|server closed the connection|the database system is",
        "PostgreSQL does not answer ({reason}): see that it runs and can be reached from here, or correct "
        "the address",
    ),
    (
        r"must be owner of (?:table|view|materialized view|relation|schema) (\S+)",
        "the role does not own {0}, which has to be changed: have its owner run this sync once, or make the "
        "role a member of the owner",
    ),
    (
        r"permission denied for (schema|table|view|database|relation) (\S+)",
        "the role has no right to the {0} {1}: have its owner grant it",
    ),
    (
        r"too many (?:clients|connections)|remaining connection slots",
        "PostgreSQL has no connection left ({reason})",
    ),
)

_RIGHTS = """
SELECT
    current_user,
    current_database(),
    has_database_privilege(current_database(), 'CREATE'),
    n.name,
    s.oid IS NOT NULL,
    coalesce(has_schema_privilege(s.oid, 'USAGE') AND has_schema_privilege(s.oid, 'CREATE'), FALSE),
    (
        SELECT c.relname FROM pg_class AS c
        WHERE c.relnamespace = s.oid AND c.relkind IN ('r', 'p') AND c.relname ~ %(ours)s
            AND NOT pg_has_role(c.relowner, 'USAGE')
        ORDER BY c.relname LIMIT 1
    )
FROM (VALUES (1, %(dataset)s), (2, %(staging)s)) AS n (number, name)
LEFT JOIN pg_namespace AS s ON s.nspname = n.name
ORDER BY n.number
"""

_COLUMNS = """
SELECT c.relname, a.attname
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS s ON s.oid = c.relnamespace
WHERE s.nspname = %(dataset)s AND a.attnum > 0 AND NOT a.attisdropped AND NOT pg_has_role(c.relowner, 'USAGE')
"""
# Another tool's tables in the schema are no matter of ours.
_OURS = rf"^(_dlt_.*|({'|'.join(TABLES)})(__.*)?)$"


# dlt reads the annotations, and knows `Optional`.
@configspec(init=False)
class LibpqCredentials(PostgresCredentials):
    """An address that may leave out what libpq finds by itself: a password, a host, a role.

    They are in `.pgpass`, in a certificate, in the query (`?host=/run/postgresql`), or not needed at all.
    """

    username: Optional[str] = None  # type: ignore[assignment]  # noqa: UP045
    password: Optional[TSecretStrValue] = None  # type: ignore[assignment]  # noqa: UP045
    host: Optional[str] = None  # type: ignore[assignment]  # noqa: UP045

    def parse_native_representation(self, native_value: Any) -> None:
        """As in dlt; a driver in the scheme (`postgresql+psycopg2://`) is for SQLAlchemy, not for libpq."""
        super().parse_native_representation(native_value)
        self.drivername = "postgresql"  # type: ignore[misc]  # dlt's own parsing sets it, too
        # As libpq does.
        self.database = self.database or self.username or ""


@configspec(init=False)
class LibpqConfiguration(PostgresClientConfiguration):
    """dlt's configuration, with `LibpqCredentials`."""

    credentials: LibpqCredentials = None  # type: ignore[assignment]  # as in dlt

    def data_location(self) -> str:
        """As in dlt, also for an address whose host is in the query, or nowhere."""
        credentials = self.credentials
        host = credentials.host or (credentials.query or {}).get("host") or "localhost"
        return f"{host}:{credentials.port}/{credentials.database}"


def refusal(error: BaseException) -> str | None:
    """Why PostgreSQL could not be connected to and what to do, in a sentence; None if that is not known."""
    text = str(error)
    for pattern, sentence in _REFUSALS:
        if found := re.search(pattern, text):
            told = sentence.format(*found.groups(), reason=found[0])
            return f"{told} ({_SETTINGS})" if "correct" in told else told
    return None


def check_rights(client: SqlClientBase[Any]) -> str | None:
    """Check, before anything is requested, that the role may create what a sync needs.

    Returns:
        The name of a table that the role does not own, so that it cannot add a column; None if there is none.

    Raises:
        DestinationError: it may not; the message has the statement that grants it.
    """
    foreign: str | None = None
    names = {"dataset": client.dataset_name, "staging": client.staging_dataset_name, "ours": _OURS}
    for role, database, may_create, name, exists, may_use, table in (
        client.execute_sql(_RIGHTS, **names) or ()
    ):
        schema, owner = _quoted(name), _quoted(role)
        if not exists and not may_create:
            raise DestinationError(
                f"the role {role} may not create the schema {name} in the database {database}: run, as its "
                f"owner, CREATE SCHEMA {schema} AUTHORIZATION {owner}, or GRANT CREATE ON DATABASE "
                f"{_quoted(database)} TO {owner}"
            )
        if exists and not may_use:
            raise DestinationError(
                f"the role {role} may not create tables in the schema {name}: run, as its owner, "
                f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {owner}"
            )
        foreign = foreign or (table and f"{name}.{table}")
    if foreign:
        _check_columns(client)
    return foreign


def _check_columns(client: SqlClientBase[Any]) -> None:
    """Check that no table of another role lacks a column that this release has.

    Raises:
        DestinationError: one does.
    """
    stored: dict[str, set[str]] = defaultdict(set)
    for table, column in client.execute_sql(_COLUMNS, dataset=client.dataset_name) or ():
        stored[table].add(column)
    for table in stored.keys() & TABLES.keys():
        _, columns = TABLES[table]
        missing = [column.name for column in columns if column.name not in stored[table]]
        if missing:
            raise DestinationError(
                f"this release adds the column {missing[0]} to the table {client.dataset_name}.{table}, "
                "which the role does not own: have its owner run this release's sync once, or make the role "
                "a member of the owner"
            )


def _quoted(name: str) -> str:
    return name if re.fullmatch("[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'
