"""Which dataset, on which destination."""

import errno
import hashlib
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cloudflare_oauth import ConfigurationError, reading_configuration

DEFAULT_DB = Path("cloudflare_oauth.duckdb")
DEFAULT_DATASET = "cloudflare"
DEFAULT_PIPELINE_NAME = "cloudflare_oauth"

# What a filesystem says that has no locks; DuckDB, filelock and dlt each show it in another way.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

_DUCKDB_MAGIC, _DUCKDB_MAGIC_AT = b"DUCK", 8
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_RESERVED = re.compile(r"pg_|information_schema$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Target:
    """Which dataset, on which destination.

    Attributes:
        destination: dlt's name of the destination.
        db: the DuckDB file; None for the one that dlt's configuration names, or `DEFAULT_DB`.
        dataset: the dataset (schema) of the tables.
        pipeline_name: the name of the dlt pipeline.
        pipelines_dir: the folder of dlt's working folders; None for dlt's own.

    Raises:
        ConfigurationError: the values do not go together, or a name cannot be used.
    """

    destination: str = "duckdb"
    db: Path | None = None
    dataset: str = DEFAULT_DATASET
    pipeline_name: str = DEFAULT_PIPELINE_NAME
    pipelines_dir: Path | None = None

    def __post_init__(self) -> None:
        if self.db is not None and self.destination != "duckdb":
            raise ConfigurationError(
                f"--db names a DuckDB file; the destination {self.destination} has none."
            )
        for option, name in (("--dataset", self.dataset), ("--pipeline-name", self.pipeline_name)):
            if not _NAME.fullmatch(name):
                raise ConfigurationError(f"{option} {name!r}: use up to 60 letters, digits, '_' and '-'.")
        if _RESERVED.match(self.dataset):
            raise ConfigurationError(
                f"--dataset {self.dataset!r}: databases keep this name for themselves; choose another."
            )

    @property
    def duckdb_file(self) -> Path | None:
        """The DuckDB file that is used, unless dlt's configuration names the database."""
        if self.destination != "duckdb" or (self.db is None and _is_configured(self.destination)):
            return None
        return self.db or DEFAULT_DB

    @property
    def staging_dataset_layout(self) -> str:
        """dlt's name for the dataset in which it prepares merges; `%s` stands for the dataset.

        Pipelines that load a dataset at the same time must not share it (dlt's issue 4297). The pipeline's
        name is hashed, because names that differ may be equal to a destination.
        """
        if self.pipeline_name == DEFAULT_PIPELINE_NAME:
            return "%s_staging"
        return f"%s_staging_{hashlib.blake2b(self.pipeline_name.encode(), digest_size=4).hexdigest()}"

    def check_file(self, file: Path, *, read_only: bool = False) -> None:
        """Check that this DuckDB file can hold the dataset, and can be written unless `read_only`.

        For writing, an empty file is removed: DuckDB makes no database of one that exists.

        Raises:
            ConfigurationError: it cannot.
        """
        folder = file.absolute().parent
        try:
            os.fspath(folder / file.name).encode()
        except UnicodeEncodeError:
            raise ConfigurationError(
                f"--db {file}: its path is no UTF-8, which DuckDB needs; rename the file or the folder."
            ) from None
        try:
            exists = folder.is_dir()
        except OSError as error:
            raise ConfigurationError(
                f"--db {file}: the folder {folder} cannot be used: {error.strerror}."
            ) from None
        if not exists:
            raise ConfigurationError(f"--db {file}: the folder {folder} does not exist.")
        check_content(file)
        if not read_only:
            _check_writable(file, folder)
        if file.stem.lower() == self.dataset.lower():
            # In DuckDB's SQL, `name.table` would be ambiguous.
            raise ConfigurationError(
                f"--db {file}: the file is named as the dataset; name the file otherwise, or give --dataset."
            )

    @property
    def stored_dataset(self) -> str:
        """The dataset's name at the destination: `SecOps-2026` becomes `sec_ops_2026`, as dlt names it."""
        if _PLAIN_NAME.fullmatch(self.dataset):
            return self.dataset
        # Not at the top: a plain name needs no dlt, whose import takes half a second.
        from dlt.common.normalizers.naming.snake_case import NamingConvention

        return str(NamingConvention().normalize_table_identifier(self.dataset))

    def __str__(self) -> str:
        given = "" if self.stored_dataset == self.dataset else f" (for --dataset {self.dataset})"
        return f"{self.duckdb_file or self.destination}, dataset {self.stored_dataset}{given}"


def check_content(file: Path) -> None:
    """Refuse a file that is no database of DuckDB, which would download an extension to open some of them.

    Raises:
        ConfigurationError: it is none, or cannot be read.
    """
    try:
        with file.open("rb") as content:
            beginning = content.read(len(_DUCKDB_MAGIC) + _DUCKDB_MAGIC_AT)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        raise ConfigurationError(f"{file}: this is a folder; name a file in it.") from None
    except OSError as error:
        raise ConfigurationError(f"{file}: the file cannot be read: {error.strerror}.") from None
    # An empty file is no other program's.
    if beginning and not beginning.endswith(_DUCKDB_MAGIC):
        raise ConfigurationError(f"{file}: this is no DuckDB file; name another, or none to make one.")


def _check_writable(file: Path, folder: Path) -> None:
    """Refuse a file or folder that is not to be written; DuckDB makes files beside its own."""
    what = f"the folder {folder}"
    try:
        tempfile.TemporaryFile(dir=folder).close()
        if file.exists():
            what = "the file"
            with file.open("r+b") as opened:
                if not opened.read(1):
                    _remove_unused(file, opened.fileno())
    except OSError as error:
        # Any other shortage, such as of space, is told when it is met.
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ConfigurationError(
                f"--db {file}: {what} cannot be written to: {error.strerror}. Name a file elsewhere."
            ) from None


def _remove_unused(file: Path, descriptor: int) -> None:
    """Remove an empty file, unless another process has just made it to write a database."""
    # Not at the top: only POSIX has it.
    import fcntl

    with suppress(OSError):
        # DuckDB locks a file before it writes the first byte.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not file.stat().st_size:
            file.unlink()


def _is_configured(destination: str) -> bool:
    # Not at the top: where a file is named, dlt, whose import takes half a second, is not needed.
    import dlt

    # Environment variables have no tables: there, one part of the credentials may be all there is.
    names = [f"destination.{destination}.credentials{part}" for part in ("", ".database")]
    with reading_configuration():
        return any(dlt.secrets.get(name) or dlt.config.get(name) for name in names)
