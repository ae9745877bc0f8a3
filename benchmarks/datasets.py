"""Empty datasets for the contenders, as the tests make them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cloudflare_oauth_pipeline.destinations.ducklake import extension_file
from tests.support.warehouses import Delta, DuckDB, DuckLake, Warehouse, postgres_server

Empty = Callable[[Path], Warehouse]
"""Makes an empty dataset in a folder, or, where there is a server, named after the folder."""


@contextmanager
def empty_datasets(destination: str) -> Iterator[Empty]:
    """What makes empty datasets of a destination; a server that it needs runs meanwhile."""
    if destination == "duckdb":
        yield lambda folder: DuckDB(folder / "clients.duckdb")
    elif destination == "filesystem":
        yield lambda folder: Delta(folder / "files")
    else:
        with postgres_server() as server:
            if destination == "postgres":
                yield lambda folder: server.emptied(folder.name)
            else:
                yield lambda folder: DuckLake(folder / "lake", server.emptied(folder.name))


def provide_extensions(home: Path) -> None:
    """Put DuckDB's extensions where plain dlt would have downloaded them to."""
    # Not at the top: only DuckLake needs them, and the import is DuckDB's whole library.
    import duckdb

    with duckdb.connect() as connection:
        ((platform,),) = connection.execute("PRAGMA platform").fetchall()
    folder = home / ".duckdb" / "extensions" / f"v{duckdb.__version__}" / platform
    folder.mkdir(parents=True)
    for name in ("ducklake", "postgres_scanner"):
        if file := extension_file(name, duckdb.__version__):
            (folder / file.name).symlink_to(file)
