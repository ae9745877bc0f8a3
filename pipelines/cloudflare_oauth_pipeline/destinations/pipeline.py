"""Opens the dlt pipeline of a target: for one writer, or for any number of readers."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dlt
import filelock
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.common.runtime.collector import NULL_COLLECTOR

from cloudflare_oauth import BusyError, ConfigurationError, DestinationError

from .adapter import Adapter
from .dlt_settings import quiet_dlt
from .explanations import explained
from .registry import adapter_for
from .target import NO_LOCKS, Target

OWN_FOLDER = "cloudflare_oauth_pipeline"
# With a character that no pipeline's name has.
_MARKER = ".made-by-cloudflare-oauth"


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
    with explained(target), quiet_dlt():
        adapter = adapter_for(target)
        folder = own_folder(target.pipelines_dir or Path(get_dlt_pipelines_dir()))
        working_dir = folder / target.pipeline_name
        with _locked(working_dir, target), explained(target, adapter.explain):
            _remove(working_dir)
            pipeline = _pipeline(target, adapter, folder, read_only=False)
            with adapter.hold(pipeline):
                yield pipeline, adapter


def own_folder(pipelines_dir: Path) -> Path:
    """The folder of this program's working folders, beside those of the user's own dlt pipelines; it is made.

    Raises:
        ConfigurationError: there is another program's folder of that name, or it cannot be made.
    """
    folder = pipelines_dir / OWN_FOLDER
    marker = folder / _MARKER
    try:
        if marker.is_file():
            return folder
        is_new = not folder.is_symlink() and (not folder.exists() or _is_empty(folder))
        # Asked again: another sync may just have made the folder, and the marker is the first thing in it.
        if not (is_new or marker.is_file()):
            raise ConfigurationError(
                f"{folder} was not made by cloudflare-oauth, which would delete folders in it: rename it, or "
                "set DLT_DATA_DIR to another folder for dlt's working folders."
            )
        folder.mkdir(parents=True, exist_ok=True)
        marker.write_text("The working folders of cloudflare-oauth; each sync empties its own.\n")
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be made, for dlt's working folders ({error.strerror}): set DLT_DATA_DIR to "
            "a folder that can be written to."
        ) from None
    return folder


def _remove(working_dir: Path) -> None:
    """Remove what an earlier sync left.

    Raises:
        ConfigurationError: it is a link, to a folder that is not this program's.
    """
    if working_dir.is_symlink():
        raise ConfigurationError(
            f"{working_dir} is a link, and cloudflare-oauth would empty what it leads to: remove the link."
        )
    shutil.rmtree(working_dir, ignore_errors=True)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


@contextmanager
def _locked(working_dir: Path, target: Target) -> Iterator[None]:
    # Not a file that exists, which a killed sync would leave behind.
    lock = filelock.FileLock(f"{working_dir}.lock", timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BusyError(
            f"another sync with the pipeline name {target.pipeline_name!r} is running on this machine; "
            "wait for it, or choose another --pipeline-name for another dataset"
        ) from None
    except OSError as error:
        where = "on a local disk" if error.errno in NO_LOCKS else "that can be written to"
        raise ConfigurationError(
            f"{working_dir.parent} cannot be used for dlt's working folders, because no file in it can be "
            f"locked ({error.strerror}): set DLT_DATA_DIR to a folder {where}."
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
    if file is not None and file.is_file() and not file.stat().st_size:
        # A sync that could not go on has left it, or the system's program for temporary files has made it.
        raise DestinationError(f"{file} is empty: run `cloudflare-oauth sync` first")
    with explained(target), quiet_dlt(), tempfile.TemporaryDirectory(prefix="cloudflare-oauth-") as folder:
        adapter = adapter_for(target)
        with explained(target, adapter.explain):
            yield _pipeline(target, adapter, Path(folder), read_only=True), adapter


def _pipeline(target: Target, adapter: Adapter, pipelines_dir: Path, *, read_only: bool) -> dlt.Pipeline:
    # Every argument: dlt looks up what is left out, and dev_mode, for one, would make another dataset.
    arguments: dict[str, Any] = {
        "pipelines_dir": str(pipelines_dir),
        "pipeline_salt": None,
        "destination": adapter.destination(read_only=read_only),
        "staging": None,
        "dataset_name": target.dataset,
        "import_schema_path": None,
        "export_schema_path": None,
        "full_refresh": None,
        "dev_mode": False,
        "refresh": None,
        "progress": NULL_COLLECTOR,
    }
    pipeline: dlt.Pipeline = dlt.pipeline(target.pipeline_name, **arguments)
    return pipeline
