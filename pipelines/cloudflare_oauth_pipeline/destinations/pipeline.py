"""Where the dataset lives: the dlt pipeline that writes it, held by one sync at a time."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dlt
import filelock
from dlt.common.configuration.exceptions import ConfigProviderException, ConfigurationException
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.exceptions import DltException, MissingDependencyException
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.common.schema import Schema
from dlt.destinations.sql_client import SqlClientBase

from cloudflare_oauth.records.tables import SCHEMA_NAME

from ..errors import BusyError, DestinationError, SyncError, UsageError
from .adapter import AnyDestination, capable
from .target import DEFAULT_PIPELINE_NAME, Target

_DUCKDB_LOCK = re.compile(r"Could not set lock on file .*?(?:\(PID (\d+)\)|$)", re.DOTALL)
_LONGEST_REASON = 500
# dlt loads several tables at once; more threads for each of them take memory and save no time.
_DUCKDB_WRITER = {"global_config": {"threads": 1}}
# DuckDB lets any number of processes read a file at the same time, if none of them may write to it.
_DUCKDB_READER = {"read_only": True}


@contextmanager
def open_pipeline(target: Target) -> Iterator[dlt.Pipeline]:
    """The pipeline of a target, for one writer at a time.

    It starts with an empty working folder. What a killed run left there is never loaded: the sync
    compares with the destination itself, and so writes all of it that is still true.

    Raises:
        UsageError: the destination is unknown or not configured.
        BusyError: another process writes to the same dataset.
        DestinationError: it cannot be opened.
    """
    pipelines_dir = target.pipelines_dir or Path(get_dlt_pipelines_dir())
    working_dir = pipelines_dir / target.pipeline_name
    with ExitStack() as held:
        pipelines_dir.mkdir(parents=True, exist_ok=True)
        try:
            held.enter_context(filelock.FileLock(f"{working_dir}.lock", timeout=0))
        except filelock.Timeout:
            raise BusyError(
                f"another sync with the pipeline name {target.pipeline_name!r} is running on this machine; "
                "wait for it, or choose another --pipeline-name for another dataset"
            ) from None
        shutil.rmtree(working_dir, ignore_errors=True)
        with explained(target):
            pipeline = _pipeline(target, pipelines_dir, _DUCKDB_WRITER)
            if target.destination == "duckdb":
                # DuckDB lets one process in. dlt comes and goes; this connection stays.
                client = plain_client(pipeline)
                client.open_connection()
                held.callback(client.close_connection)
        yield pipeline


def plain_client(pipeline: dlt.Pipeline) -> SqlClientBase[Any]:
    """A client of the destination for SQL that is about no table.

    Of a new pipeline dlt itself would make a schema with the pipeline's name, which not every name allows.
    """
    return pipeline.dataset(schema=Schema(SCHEMA_NAME)).sql_client


def _pipeline(target: Target, pipelines_dir: Path, duckdb_settings: Mapping[str, Any]) -> dlt.Pipeline:
    return dlt.pipeline(
        target.pipeline_name,
        pipelines_dir=str(pipelines_dir),
        destination=_destination(target, duckdb_settings),
        dataset_name=target.dataset,
    )


def _destination(target: Target, duckdb_settings: Mapping[str, Any]) -> AnyDestination:
    file = target.duckdb_file
    if file is not None:
        target.check_file(file)
        return dlt.destinations.duckdb({"database": str(file), **duckdb_settings})
    layout = _staging_layout(target.pipeline_name)
    settings: dict[str, Any] = {"staging_dataset_name_layout": layout}
    if target.destination == "duckdb" and duckdb_settings is _DUCKDB_READER:
        settings["credentials"] = duckdb_settings
    # A destination without one of these settings leaves it out.
    found = Destination.from_reference(target.destination, **settings)
    if found is None:
        raise UsageError("--destination needs a name.")
    return capable(found)


def _staging_layout(pipeline_name: str) -> str:
    # Pipelines that load a dataset at the same time must not meet where dlt prepares a merge (its issue
    # 4297). By a hash, because names that are spelt differently may be the same to a destination.
    if pipeline_name == DEFAULT_PIPELINE_NAME:
        return "%s_staging"
    return f"%s_staging_{hashlib.blake2b(pipeline_name.encode(), digest_size=4).hexdigest()}"


@contextmanager
def open_for_reading(target: Target) -> Iterator[dlt.Pipeline]:
    """The pipeline of a target, to read its dataset while others read it, too, or may write to it.

    Its working folder is its own and temporary, so that it never meets a sync's.

    Raises:
        UsageError, BusyError, DestinationError: as `open_pipeline`, or there is no DuckDB file.
    """
    file = target.duckdb_file
    if file is not None and not file.exists():
        raise DestinationError(f"{file} does not exist yet: run `cloudflare-oauth sync` first")
    with tempfile.TemporaryDirectory(prefix="cloudflare-oauth-") as folder, explained(target):
        yield _pipeline(target, Path(folder), _DUCKDB_READER)


@contextmanager
def explained(target: Target) -> Iterator[None]:
    """Turn what dlt and the destination raise into one sentence that says what to do."""
    try:
        yield
    except (DltException, OSError, ModuleNotFoundError) as error:
        raise _explanation(target, error) from error


def _explanation(target: Target, error: BaseException) -> SyncError:
    chain = list(causes(error))
    for cause in chain:
        match cause:
            case UnknownDestinationModule():
                return UsageError(f"--destination {target.destination!r} is not a destination dlt knows.")
            case ConfigProviderException():
                return UsageError(f"dlt's configuration cannot be read: {' '.join(str(cause).split())}")
            case ConfigurationException():
                return UsageError(
                    f"the destination {target.destination} is not configured: put its settings under "
                    f"[destination.{target.destination}] in .dlt/secrets.toml ({_first_line(cause)})"
                )
            case MissingDependencyException() | ModuleNotFoundError():
                return UsageError(
                    f"the destination {target.destination} needs more packages: "
                    f"pip install 'dlt[{target.destination}]' ({_first_line(cause)})"
                )
    root = chain[-1]
    if locked := _DUCKDB_LOCK.search(str(root)):
        process = f"process {locked[1]}" if locked[1] else "another process"
        return BusyError(
            f"{target.duckdb_file or target} is open in {process}: a sync, a notebook or a DuckDB shell. "
            "Close it and run again"
        )
    return DestinationError(f"{target}: {_first_line(root)}")


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, the first cause last."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:_LONGEST_REASON]
