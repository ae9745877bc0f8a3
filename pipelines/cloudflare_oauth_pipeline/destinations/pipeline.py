"""Opens the dlt pipeline of a target: for one writer, or for any number of readers."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dlt
import filelock
from dlt.common.pipeline import get_dlt_pipelines_dir

from cloudflare_oauth import BusyError, DestinationError

from .adapter import Adapter
from .dlt_settings import quiet_dlt
from .explanations import explained
from .registry import adapter_for
from .target import Target


@contextmanager
def open_for_writing(target: Target) -> Iterator[tuple[dlt.Pipeline, Adapter]]:
    """Open the pipeline of a target, for one writer at a time.

    It starts with an empty working folder. What a killed run left there is never loaded: the sync compares
    with the destination itself, and so writes everything of it that is still true.

    Raises:
        ConfigurationError: the destination is unknown, not configured, or could not keep the tables exact.
        BusyError: another process writes to the same dataset.
        DestinationError: it cannot be opened.
    """
    with quiet_dlt(), explained(target):
        adapter = adapter_for(target)
        pipelines_dir = target.pipelines_dir or Path(get_dlt_pipelines_dir())
        working_dir = pipelines_dir / target.pipeline_name
        pipelines_dir.mkdir(parents=True, exist_ok=True)
        with _locked(working_dir, target), explained(target, adapter.explain):
            shutil.rmtree(working_dir, ignore_errors=True)
            pipeline = _pipeline(target, adapter, pipelines_dir, read_only=False)
            with adapter.hold(pipeline):
                yield pipeline, adapter


@contextmanager
def _locked(working_dir: Path, target: Target) -> Iterator[None]:
    lock = filelock.FileLock(f"{working_dir}.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BusyError(
            f"another sync with the pipeline name {target.pipeline_name!r} is running on this machine; "
            "wait for it, or choose another --pipeline-name for another dataset"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def open_for_reading(target: Target) -> Iterator[tuple[dlt.Pipeline, Adapter]]:
    """Open the pipeline of a target to read its dataset, while others read it, too, or may write to it.

    Its working folder is temporary and its own, so that it never meets a sync's.

    Raises:
        ConfigurationError, BusyError, DestinationError: as `open_for_writing`, or there is no DuckDB file.
    """
    file = target.duckdb_file
    if file is not None and not file.exists():
        raise DestinationError(f"{file} does not exist yet: run `cloudflare-oauth sync` first")
    with quiet_dlt(), explained(target), tempfile.TemporaryDirectory(prefix="cloudflare-oauth-") as folder:
        adapter = adapter_for(target)
        with explained(target, adapter.explain):
            yield _pipeline(target, adapter, Path(folder), read_only=True), adapter


def _pipeline(target: Target, adapter: Adapter, pipelines_dir: Path, *, read_only: bool) -> dlt.Pipeline:
    return dlt.pipeline(
        target.pipeline_name,
        pipelines_dir=str(pipelines_dir),
        destination=adapter.destination(read_only=read_only),
        dataset_name=target.dataset,
    )
