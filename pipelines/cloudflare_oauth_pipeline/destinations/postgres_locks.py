"""PostgreSQL's locks: the one on a dataset, and bounds for the wait for those of other sessions.

All bounds are set for one transaction each (`SET LOCAL`): behind a pooler that hands out a connection for
each transaction, a setting of the session, or of the connection's start, would be lost or meet another
client.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg2
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.dataset import DBApiCursor
from dlt.common.schema import Schema, TSchemaTables
from dlt.destinations.exceptions import DatabaseException, DatabaseTransientException
from dlt.destinations.impl.postgres.configuration import PostgresClientConfiguration
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient
from dlt.destinations.sql_client import SqlClientBase
from dlt.destinations.typing import DBTransaction
from psycopg2.errors import LockNotAvailable
from psycopg2.sql import SQL, Composable

from cloudflare_oauth import BusyError, DestinationError, events

from .adapter import DatasetLock
from .postgres import LockedError

Result = TypeVar("Result")

LOCK_TIMEOUT = "10s"
# For emptying a staging table at once, which would keep readers waiting; row by row, it keeps none.
TRUNCATE_TIMEOUT = "100ms"
ATTEMPTS = 3
SECONDS_BETWEEN_ATTEMPTS = 0.25

APPLICATION = "cloudflare-oauth"
# Without them, a connection whose other end is gone looks alive for hours.
_CONNECTION = {
    "application_name": APPLICATION,
    # Otherwise names would arrive in the encoding of the database, be it SQL_ASCII.
    "client_encoding": "utf8",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}

# The user's own bound, wherever it is set, goes first.
_BOUND = (
    f"SELECT set_config('lock_timeout', '{LOCK_TIMEOUT}', true) WHERE current_setting('lock_timeout') = '0'"
)

# Not every release has every setting. The last three free the lock of a machine that is gone.
_KEEP_OPEN = """
SELECT set_config(s.name, v.value, true)
FROM pg_settings AS s
JOIN (VALUES
    ('idle_in_transaction_session_timeout', '0'),
    ('transaction_timeout', '0'),
    ('tcp_keepalives_idle', '30'),
    ('tcp_keepalives_interval', '10'),
    ('tcp_keepalives_count', '3')
) AS v (name, value) ON v.name = s.name
"""
_TRY = "SELECT pg_try_advisory_xact_lock(hashtextextended(%(lock)s, 0))"
# A transaction-level lock that this session holds is held by the transaction that has taken it.
_HOLDERS_OF_DATASET = """
SELECT l.pid = pg_backend_pid(), a.pid, a.usename, a.application_name, a.xact_start
FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = hashtextextended(%(lock)s, 0)
"""
# Which lock a session waited for is unknown once it has stopped. A reader seldom is what a sync waits for, so
# it is named only where no other session holds a lock. The sync's own sessions are active, not idle.
_HOLDERS_OF_TABLES = f"""
SELECT max(CASE WHEN l.mode = 'AccessShareLock' THEN 0 ELSE 1 END) AS rank,
    a.pid, a.usename, a.application_name, a.xact_start
FROM pg_locks AS l
JOIN pg_class AS c ON c.oid = l.relation
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.granted AND l.pid <> pg_backend_pid() AND n.nspname IN (%(dataset)s, %(staging)s)
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND NOT (a.application_name = '{APPLICATION}' AND a.state IS NOT DISTINCT FROM 'active')
GROUP BY a.pid, a.usename, a.application_name, a.xact_start
ORDER BY rank DESC, a.xact_start
LIMIT 3
"""


class BoundedSqlClient(Psycopg2SqlClient):
    """dlt's client for PostgreSQL; no statement waits for a lock without an end.

    Raises:
        LockedError: a lock was not to be had, after `ATTEMPTS` attempts (one in a transaction).
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # While dlt stages, its `dataset_name` is that of the staging dataset.
        self._names = {"dataset": self.dataset_name, "staging": self.staging_dataset_name}

    def open_connection(self) -> Any:
        """As in dlt, with an error that belongs to dlt."""
        try:
            return super().open_connection()
        except psycopg2.OperationalError as error:
            raise DatabaseTransientException(error) from error

    @contextmanager
    def begin_transaction(self) -> Iterator[DBTransaction]:
        with super().begin_transaction() as transaction:
            self.execute_sql(_BOUND)
            yield transaction

    @contextmanager
    def execute_query(self, query: Any, *args: Any, **kwargs: Any) -> Iterator[DBApiCursor]:
        execute = super().execute_query
        is_alone = self.native_connection.autocommit
        bounded = _bounded(query) if is_alone else query
        with ExitStack() as stack:
            yield self.retried(
                lambda: stack.enter_context(execute(bounded, *args, **kwargs)),
                attempts=ATTEMPTS if is_alone else 1,
            )

    def truncate_tables(self, *tables: str) -> None:
        """Empty the tables that are not empty; row by row where others read them, who would have to wait."""
        names = [self.make_qualified_table_name(table) for table in tables]
        if not names:
            return
        rows = self.execute_sql(
            " UNION ALL ".join(
                f"SELECT {number} WHERE EXISTS (SELECT FROM {name})" for number, name in enumerate(names)
            )
        )
        filled = [names[number] for (number,) in rows or ()]
        if not filled:
            return
        try:
            with super().begin_transaction(), self.native_connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{TRUNCATE_TIMEOUT}'")
                cursor.execute(f"TRUNCATE TABLE {', '.join(filled)}")
        except LockNotAvailable:
            with self.begin_transaction():
                self.execute_many([f"DELETE FROM {name}" for name in filled])

    def retried(self, call: Callable[[], Result], *, attempts: int = ATTEMPTS) -> Result:
        """The result of a call, which is repeated if a lock was not to be had.

        Raises:
            LockedError: it was not to be had in any attempt.
        """
        for attempt in range(1, attempts):
            try:
                return call()
            except DatabaseException as error:
                if not isinstance(error.dbapi_exception, LockNotAvailable):
                    raise
                # Others that have queued behind this session's request come first.
                time.sleep(attempt * SECONDS_BETWEEN_ATTEMPTS)
        try:
            return call()
        except DatabaseException as error:
            if not isinstance(error.dbapi_exception, LockNotAvailable) or isinstance(error, LockedError):
                raise
            raise LockedError(error.dbapi_exception, self._sentence()) from error

    def _sentence(self) -> str:
        with closing(psycopg2.connect(self.credentials.to_native_representation())) as connection:
            # Behind a pooler, a transaction that stays open would keep the connection from others.
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(_HOLDERS_OF_TABLES, self._names)
                holders = [_described(*row) for _, *row in cursor.fetchall()]
        held = "; ".join(holders) or "a session that has ended meanwhile"
        return (
            f"a table of the schema {self._names['dataset']} or of its staging schema is locked by another "
            f"session ({held}), and was not to be had in several attempts: end its transaction, "
            "or wait for it, and run again"
        )


def _bounded(query: Any) -> Any:
    if isinstance(query, Composable):
        return SQL(_BOUND + "; ") + query
    return f"{_BOUND}; ".encode() + query if isinstance(query, bytes) else f"{_BOUND}; {query}"


def _described(pid: int, user: str | None, application: str | None, since: datetime | None) -> str:
    parts = [f"process {pid} of the server", f"user {user}"]
    if application:
        parts.append(f"application {application}")
    if since:
        parts.append(f"in a transaction since {since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
    return ", ".join(parts)


class BoundedClient(PostgresClient):
    """dlt's client for PostgreSQL, with `BoundedSqlClient`."""

    def __init__(
        self,
        schema: Schema,
        config: PostgresClientConfiguration,
        capabilities: DestinationCapabilitiesContext,
    ) -> None:
        super().__init__(schema, config, capabilities)
        client = self.sql_client
        credentials = config.credentials.copy()
        credentials.query = _CONNECTION | (credentials.query or {})
        self.sql_client = BoundedSqlClient(
            client.dataset_name, client.staging_dataset_name, credentials, capabilities
        )

    def update_stored_schema(
        self, only_tables: Any = None, expected_update: Any = None, force: bool = False
    ) -> TSchemaTables | None:
        """As in dlt, in several attempts: to change a table, all others have to leave it for a moment."""
        update = super().update_stored_schema
        applied: TSchemaTables | None = self.sql_client.retried(
            lambda: update(only_tables, expected_update, force)
        )
        return applied


class AdvisoryLock(DatasetLock):
    """A transaction-level advisory lock, on a connection and in a transaction of its own.

    The open transaction keeps the server's connection also behind a pooler, which would hand the one with a
    session-level lock to another client. The lock ends with the transaction or the connection, also that of a
    killed process.
    """

    def __init__(self, client: SqlClientBase[Any]) -> None:
        self._client = client
        self._parameters = {"lock": f"dlt {client.dataset_name}"}

    def take(self, longest_wait_seconds: float, observe: events.Observer) -> None:
        """Take the lock, once no other sync holds it.

        Raises:
            BusyError: another sync has held it for longer than is waited.
        """
        give_up_at = time.monotonic() + longest_wait_seconds
        connection = self._client.native_connection
        connection.autocommit = False
        is_told = False
        while True:
            self._rows(_KEEP_OPEN)
            if self._rows(_TRY)[0][0]:
                return
            holder = next(
                (_described(*row) for _, *row in self._rows(_HOLDERS_OF_DATASET)), "another session"
            )
            # Waiting in a transaction would take a pooler's connections away from the one that loads.
            connection.rollback()
            if time.monotonic() > give_up_at:
                raise BusyError(
                    f"another sync has been loading into the schema {self._client.dataset_name} for longer "
                    f"than {longest_wait_seconds:.0f} seconds ({holder}): wait for it to end, or end it, and "
                    "run again"
                )
            if not is_told:
                is_told = True
                observe(events.Waiting(longest_wait_seconds, f"another sync is loading ({holder})"))
            time.sleep(SECONDS_BETWEEN_ATTEMPTS)

    def check(self) -> None:
        """As in `DatasetLock`."""
        try:
            is_held = any(is_own for is_own, *_ in self._rows(_HOLDERS_OF_DATASET))
        except psycopg2.Error:
            is_held = False
        if not is_held:
            raise DestinationError(
                f"the connection that keeps other syncs out of the schema {self._client.dataset_name} was "
                "ended by the server or by something on the way to it: run again"
            )

    def release(self) -> None:
        """Release the lock."""
        with suppress(psycopg2.Error):
            self._client.native_connection.rollback()

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._client.native_connection.cursor() as cursor:
            cursor.execute(query, self._parameters)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows


@contextmanager
def advisory_lock(
    client: SqlClientBase[Any], longest_wait_seconds: float, observe: events.Observer
) -> Iterator[AdvisoryLock]:
    """Hold the lock of the client's dataset, on a connection that this opens.

    Raises:
        BusyError: another sync holds it for longer than is waited.
        DestinationError: it was lost before the context ended.
    """
    with client:
        lock = AdvisoryLock(client)
        try:
            lock.take(longest_wait_seconds, observe)
        except psycopg2.Error as error:
            raise DatabaseTransientException(error) from error
        try:
            yield lock
            lock.check()
        finally:
            lock.release()
