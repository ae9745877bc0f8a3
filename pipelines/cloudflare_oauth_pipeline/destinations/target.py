"""Which dataset a command is about, on which destination."""

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError

DEFAULT_DB = Path("cloudflare_oauth.duckdb")
DEFAULT_DATASET = "cloudflare"
DEFAULT_PIPELINE_NAME = "cloudflare_oauth"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Which dataset, on which destination.

    `db` is the DuckDB file (None: as dlt is configured), `pipelines_dir` dlt's working folders
    (None: where dlt keeps them).
    """

    destination: str = "duckdb"
    db: Path | None = None
    dataset: str = DEFAULT_DATASET
    pipeline_name: str = DEFAULT_PIPELINE_NAME
    pipelines_dir: Path | None = None

    def __post_init__(self) -> None:
        if self.db is not None and self.destination != "duckdb":
            raise UsageError(f"--db names a DuckDB file; the destination {self.destination} has none.")
        for option, name in (("--dataset", self.dataset), ("--pipeline-name", self.pipeline_name)):
            if not _NAME.fullmatch(name):
                raise UsageError(f"{option} {name!r}: use up to 60 letters, digits, '_' and '-'.")

    @property
    def duckdb_file(self) -> Path | None:
        """The DuckDB file that is used, unless dlt's configuration names the database."""
        if self.destination != "duckdb" or (self.db is None and _is_configured(self.destination)):
            return None
        return self.db or DEFAULT_DB

    def check_file(self, file: Path) -> None:
        """See whether this DuckDB file can hold the dataset.

        Raises:
            UsageError: it cannot.
        """
        folder = file.absolute().parent
        try:
            exists = folder.is_dir()
        except OSError as error:
            raise UsageError(f"--db {file}: the folder {folder} cannot be used: {error.strerror}.") from None
        if not exists:
            raise UsageError(f"--db {file}: the folder {folder} does not exist.")
        if file.stem.lower() == self.dataset.lower():
            # In DuckDB's SQL, `name.table` could then be either.
            raise UsageError(
                f"--db {file}: the file is named as the dataset; name the file otherwise, or give --dataset."
            )

    def __str__(self) -> str:
        return f"{self.duckdb_file or self.destination}, dataset {self.dataset}"


def _is_configured(destination: str) -> bool:
    # Imported late: where a file is named, nobody has to wait for dlt.
    import dlt
    from dlt.common.configuration.exceptions import ConfigProviderException

    # Environment variables have no tables: there, a part of the credentials may be all there is.
    names = [f"destination.{destination}.credentials{part}" for part in ("", ".database")]
    try:
        return any(dlt.secrets.get(name) or dlt.config.get(name) for name in names)
    except ConfigProviderException as error:
        raise UsageError(f"dlt's configuration cannot be read: {' '.join(str(error).split())}") from None
