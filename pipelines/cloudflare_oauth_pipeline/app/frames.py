"""The dataset as pandas frames: queries in DuckDB's dialect, answered by any destination."""

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import marimo
import pandas as pd
import sqlglot

from cloudflare_oauth import CloudflareOAuthError, DestinationError

from ..analysis.views import with_views
from ..analysis.waivers import Waiver
from ..destinations import dataset as destinations
from ..destinations.dataset import NoDatasetError
from ..destinations.target import Target
from .settings import target_from, waivers_from

# Every dataset has these tables; without one of them there is nothing to show.
_ESSENTIAL = {"accounts", "oauth_clients", "account_syncs", "oauth_client_changes"}
# marimo runs pages in threads of one process, which share dlt's pipeline state and DuckDB's way of opening a
# file.
_ONE_AT_A_TIME = threading.Lock()


@dataclass
class Data:
    """A dataset that is open for reading, and the problems that occurred while reading it."""

    target: Target
    waivers: Sequence[Waiver] = ()
    problems: list[str] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    dataset: destinations.Dataset | None = None

    def frame(self, query: str) -> pd.DataFrame:
        """Run a query and return its rows, or an empty frame if the data cannot be read.

        The query is written in DuckDB's dialect and names tables and views without a schema. An empty frame
        has the columns that the query names, and `notices` says why it is empty.
        """
        tree = sqlglot.parse_one(query, read="duckdb")
        empty = pd.DataFrame({name: pd.Series(dtype="object") for name in getattr(tree, "named_selects", ())})
        if self.dataset is None:
            return empty
        try:
            return self.read(with_views(query, self.waivers))
        except NoDatasetError as error:
            self.missing |= error.missing
        except CloudflareOAuthError as error:
            self.problems.append(str(error))
        return empty

    def read(self, query: str) -> pd.DataFrame:
        """Run a query on the tables; raises what `Dataset.query` raises."""
        if self.dataset is None:
            raise DestinationError(f"{self.target} is not open")
        # Not the destinations' own frames: their types differ, and DuckDB's warn about pandas' future.
        result = self.dataset.query(query)
        frame = pd.DataFrame(result.rows, columns=result.columns)
        for name in result.columns:
            match _first_value(frame[name]):
                case datetime():
                    frame[name] = pd.to_datetime(frame[name], utc=True)
                case Decimal():
                    # PostgreSQL returns the sum of integers as a decimal.
                    frame[name] = pd.to_numeric(frame[name])
        return frame.convert_dtypes()

    @property
    def notices(self) -> list[str]:
        """One sentence for each problem that occurred while reading."""
        sentences = list(dict.fromkeys(self.problems))
        if self.missing & _ESSENTIAL:
            sentences.append(f"{self.target} has no dataset yet: run `cloudflare-oauth sync`")
        elif self.missing:
            names = ", ".join(sorted(self.missing))
            sentences.append(f"{self.target} lacks {names}: this page is shown without that data")
        return sentences


@contextmanager
def open_dataset(
    arguments: Mapping[str, Any] | None = None, *, target: Target | None = None
) -> Iterator[Data]:
    """Open the dataset that the arguments name, or else the environment, or else the defaults of `sync`.

    Problems that a user can fix raise nothing: the frames are empty then, and `Data.notices` says why. Of a
    notebook that is run as a script, of which nothing is seen, they are the end.
    """
    with _ONE_AT_A_TIME, ExitStack() as held:
        data = Data(Target())
        try:
            data.target = target or target_from(arguments)
            data.waivers = waivers_from(arguments)
            data.dataset = held.enter_context(destinations.open_dataset(data.target))
        except CloudflareOAuthError as error:
            data.problems.append(str(error))
        try:
            # Open only for the queries of a page, so that a page in a browser keeps no sync waiting.
            yield data
        finally:
            data.dataset = None
    if data.notices and _is_script():
        is_unread = data.problems or data.missing & _ESSENTIAL
        print(
            *(f"{'error' if is_unread else 'warning'}: {one}" for one in data.notices),
            sep="\n",
            file=sys.stderr,
        )
        if is_unread:
            sys.exit(1)


def _is_script() -> bool:
    """Whether this is `python notebooks/inventory.py`, rather than a page or an export."""
    return marimo.app_meta().mode == "script" and Path(sys.argv[0]).resolve().parent == marimo.notebook_dir()


def require_dataset(target: Target) -> None:
    """Check that the dataset exists and can be read.

    Raises:
        DestinationError: the destination cannot be read, or has no such dataset yet.
    """
    with _ONE_AT_A_TIME, destinations.open_dataset(target) as dataset:
        dataset.query("SELECT account_id FROM accounts WHERE FALSE")


def _first_value(column: pd.Series) -> Any:
    place = column.first_valid_index()
    return None if place is None else column[place]


def elements(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """One row per element of a column of comma-separated text; rows without any element are dropped."""
    made = frame[frame[column].notna()].copy()
    made[column] = (
        made[column].astype("object").map(lambda text: [part.strip() for part in str(text).split(",")])
    )
    made = made.explode(column)
    return made[made[column].astype(bool)].reset_index(drop=True)


def told_apart(frame: pd.DataFrame, name: str = "account", id: str = "account_id") -> pd.DataFrame:
    """Append the id to each name that several ids share."""
    owners = frame[[id, name]].drop_duplicates()[name].value_counts()
    shared = frame[name].map(owners).fillna(0) > 1
    return frame.assign(**{name: frame[name].where(~shared, frame[name] + " (" + frame[id] + ")")})


def counted(frame: pd.DataFrame, column: str, *, missing: str = "not given") -> pd.DataFrame:
    """Count the rows per value of a column, as `name` and `count`, the most frequent first."""
    values = frame[column].astype("object")
    values = values.where(values.notna(), missing)
    made = values.value_counts().rename_axis("name").reset_index(name="count")
    return made.sort_values(["count", "name"], ascending=[False, True]).reset_index(drop=True)


def distinct(values: pd.Series) -> str:
    """The distinct values, sorted and joined by commas."""
    return ", ".join(sorted({str(value) for value in values}))
