"""DuckLake: Parquet files, and a catalogue in PostgreSQL or SQLite that many may read and write."""

import importlib.util
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from dlt.destinations.impl.ducklake.factory import ducklake
from dlt.destinations.sql_client import SqlClientBase

from cloudflare_oauth import CloudflareOAuthError, DestinationError
from cloudflare_oauth.inventory import Inventory

from .adapter import Adapter, AnyDestination, DatasetLock, plain_dataset
from .appending import NewRows, append_and_load, append_in_transaction
from .batch import Batch
from .duckdb import insert
from .duckdb_views import DuckDBViews
from .file_lock import file_lock
from .postgres_access import refusal

if TYPE_CHECKING:
    from .ducklake_client import LakeClient, LakeConfiguration

# How long another sync's load is waited for.
LONGEST_WAIT_SECONDS = 600.0
SETTINGS = "DESTINATION__DUCKLAKE__CREDENTIALS__"

_KEYS = f"{SETTINGS}STORAGE__CREDENTIALS__AWS_ACCESS_KEY_ID and …__AWS_SECRET_ACCESS_KEY"
# As DuckDB's extension says it; the file is a path of S3 or an address.
_REFUSALS = (
    (
        r'DATA_PATH parameter "(?P<ours>.+?)" does not match existing data path in the catalog '
        r'"(?P<file>.+?)"',
        "they are in {file}, says its catalogue, and not in {ours}: correct "
        f"{SETTINGS}STORAGE__BUCKET_URL, or take another catalogue",
    ),
    (
        r"(?P<file>(?:s3|https?)://[^\s'\"]+).*HTTP (?:code )?40[013]\b",
        "the storage does not let these credentials read or write {file}: correct "
        f"{_KEYS}, or grant them s3:GetObject, s3:PutObject and s3:DeleteObject there",
    ),
    (
        r"(?P<file>(?:s3|https?)://[^\s'\"]+).*HTTP (?:code )?404\b",
        "there is no {file}, or no such bucket: create the bucket, correct "
        f"{SETTINGS}STORAGE__BUCKET_URL, or restore the file that was removed",
    ),
    (
        r"(?P<reason>[\w ]+) error for HTTP \w+ to '(?P<file>https?://[^/']+)",
        "{file} does not answer ({reason}): see that it can be reached from here, or correct "
        f"{SETTINGS}STORAGE__CREDENTIALS__ENDPOINT_URL and …__REGION_NAME",
    ),
)


class DuckLake(Adapter):
    """A lake: a lock in its catalogue keeps loads apart, on whatever machine they run."""

    stored_views = DuckDBViews()
    # They are held in memory until they are loaded, because another sync may have overtaken them.
    batch_rows = 10_000

    def destination(self, *, read_only: bool) -> AnyDestination:
        """As in `Adapter`."""
        super().destination(read_only=read_only)
        return OneInstanceLake(**self._destination.config_params)

    @contextmanager
    def hold(self, pipeline: dlt.Pipeline) -> Iterator[None]:
        """As in `Adapter`: the lake stays attached, for all connections of this process."""
        client = plain_dataset(pipeline).sql_client
        # Two that attach a new lake at the same time would both create its catalogue.
        with self.lock(pipeline):
            client.open_connection()
        try:
            yield
        finally:
            client.close_connection()

    def lock(self, pipeline: dlt.Pipeline) -> AbstractContextManager[DatasetLock]:
        """As in `Adapter`: two merges of the same row would both insert it, as neither sees the other's."""
        client: Any = plain_dataset(pipeline).sql_client
        catalogue = client.credentials.catalog
        if catalogue.drivername == "sqlite":
            file = Path(catalogue.database)
            lock = file.with_name(f"{file.name}.{client.dataset_name}.lock")
            return file_lock(lock, file, LONGEST_WAIT_SECONDS)
        # Not at the top: psycopg2 is optional.
        from .ducklake_client import catalogue_client
        from .postgres_locks import advisory_lock

        return advisory_lock(catalogue_client(client), LONGEST_WAIT_SECONDS, self.observer)

    def load(self, pipeline: dlt.Pipeline, batch: Batch, inventory: Inventory) -> None:
        """As in `Adapter`: what is new is appended."""
        new = NewRows(inventory, self.capabilities)
        append = partial(append_in_transaction, pipeline, inventory, new, insert)
        append_and_load(self, pipeline, batch, inventory, new, append)

    def is_native_to_views(self, client: SqlClientBase[Any]) -> bool:
        """As in `Adapter`: the dialect is DuckDB's."""
        return True

    def explain(self, error: BaseException) -> CloudflareOAuthError | None:
        """As in `Adapter`: a storage or a catalogue that refuses, or cannot be reached."""
        # First: a storage that does not answer is told of in words that PostgreSQL has, too.
        for pattern, told in _REFUSALS:
            if found := re.search(pattern, str(error)):
                return DestinationError(f"{self.target}: its files: {told.format(**found.groupdict())}")
        sentence = refusal(error)
        return DestinationError(f"{self.target}: its catalogue: {sentence}") if sentence else None


class OneInstanceLake(ducklake):
    """dlt's `ducklake` with one DuckDB for all connections of a process."""

    @property
    def spec(self) -> type["LakeConfiguration"]:
        # Not at the top: it imports DuckDB, which other destinations do not need.
        from .ducklake_client import LakeConfiguration

        return LakeConfiguration

    @property
    def client_class(self) -> type["LakeClient"]:
        # Not at the top: it imports DuckDB, which other destinations do not need.
        from .ducklake_client import LakeClient

        return LakeClient

    @property
    def destination_name(self) -> str:
        return self.config_params.get("destination_name") or "ducklake"

    @property
    def destination_type(self) -> str:
        return "dlt.destinations.ducklake"


def extension_file(name: str, version: str) -> Path | None:
    """The file of an extension of DuckDB that a wheel has brought; None if none did for this version."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder) / "extensions" / f"v{version}" / f"{name}.duckdb_extension"
        if file.is_file():
            return file
    return None
