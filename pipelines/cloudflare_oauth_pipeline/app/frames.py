"""The dataset as pandas frames, for the notebooks: SQL in DuckDB's dialect in, from whatever destination."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import dlt
import pandas as pd
import sqlglot
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from sqlglot import exp

from cloudflare_oauth.dlt_schema import declared_schema
from cloudflare_oauth.records.tables import ARRAYS, OAUTH_CLIENTS

from ..analysis.change_text import in_words
from ..analysis.rules import literal
from ..analysis.views import load_views, translated
from ..analysis.waivers import Waiver
from ..destinations.pipeline import explained, open_for_reading
from ..destinations.target import Target
from ..errors import DestinationError, SyncError
from .settings import target_from, waivers_from

# Every dataset has them; without them there is nothing to look at.
_ESSENTIAL = {"accounts", "oauth_clients", "account_syncs", "oauth_client_changes"}
# dlt's pipelines and DuckDB's ways to open a file are the process's, and marimo runs pages in threads of one.
_ONE_AT_A_TIME = threading.Lock()


@dataclass
class Data:
    """A dataset that is open for reading, and what of it could not be read, in sentences."""

    target: Target
    waivers: Sequence[Waiver] = ()
    problems: list[str] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    dataset: dlt.Dataset | None = None

    def frame(self, query: str) -> pd.DataFrame:
        """The rows of a query, written in DuckDB's dialect, over the tables and views without a schema.

        Where there is nothing to read, the frame is empty, with the columns that the query names, and
        `notices` says why.
        """
        tree = sqlglot.parse_one(query, read="duckdb")
        empty = pd.DataFrame({name: pd.Series(dtype="object") for name in getattr(tree, "named_selects", ())})
        if self.dataset is None:
            return empty
        query = _with_views(query, self.waivers)
        try:
            with explained(self.target):
                try:
                    return self.read(query)
                except DestinationUndefinedEntity:
                    self.missing |= self._missing_of(query)
        except SyncError as error:
            self.problems.append(str(error))
        return empty

    def read(self, query: str) -> pd.DataFrame:
        """The rows of a query over the tables; raises what the destination raises."""
        if self.dataset is None:
            raise DestinationError(f"{self.target} is not open")
        raw = translated(query, self.dataset.sql_client)
        with self.dataset.sql_client.execute_query(raw) as cursor:
            # Not the destinations' own frames: their types differ, and DuckDB's warn of the next pandas.
            columns = [column[0] for column in cursor.description]
            frame = pd.DataFrame(cursor.fetchall(), columns=columns)
        for name in columns:
            match _first_value(frame[name]):
                case datetime():
                    frame[name] = pd.to_datetime(frame[name], utc=True)
                case Decimal():
                    # What PostgreSQL makes of the sum of integers.
                    frame[name] = pd.to_numeric(frame[name])
        return frame.convert_dtypes()

    def _missing_of(self, query: str) -> set[str]:
        tree = sqlglot.parse_one(query, read="duckdb")
        ours = {cte.alias for cte in tree.find_all(exp.CTE)}
        return {name for name in _tables(tree) - ours if not self._has(name)}

    def _has(self, table: str) -> bool:
        try:
            self.read(f"SELECT 1 AS one FROM {table} WHERE FALSE")
        except DestinationUndefinedEntity:
            return False
        return True

    @property
    def notices(self) -> list[str]:
        """What could not be read, each in a sentence."""
        told = list(dict.fromkeys(self.problems))
        if self.missing & _ESSENTIAL:
            told.append(f"{self.target} has no dataset yet: run `cloudflare-oauth sync`")
        elif self.missing:
            names = ", ".join(sorted(self.missing))
            told.append(f"{self.target} lacks {names}: what would come from there is not on this page")
        return told


@contextmanager
def open_dataset(
    arguments: Mapping[str, Any] | None = None, *, target: Target | None = None
) -> Iterator[Data]:
    """The dataset that the arguments name, or else the environment, or else the defaults of `sync`.

    Never raises for what a person can mend: the frames are empty then, and `Data.notices` says why.
    """
    with _ONE_AT_A_TIME, ExitStack() as held:
        data = Data(Target())
        try:
            data.target = target or target_from(arguments)
            data.waivers = waivers_from(arguments)
            data.dataset = held.enter_context(_open(data.target))
        except SyncError as error:
            data.problems.append(str(error))
        try:
            yield data
        finally:
            data.dataset = None


@contextmanager
def _open(target: Target) -> Iterator[dlt.Dataset]:
    # For a page's queries and no longer, so that no sync has to wait for a page that somebody looks at.
    with open_for_reading(target) as pipeline, pipeline.dataset(schema=declared_schema()) as dataset:
        yield dataset


def require_dataset(target: Target) -> None:
    """Check that there is something to look at.

    Raises:
        SyncError: the destination cannot be read, or has no such dataset yet.
    """
    with _ONE_AT_A_TIME, _open(target) as dataset:
        try:
            Data(target, dataset=dataset).read("SELECT account_id FROM accounts WHERE FALSE")
        except DestinationUndefinedEntity:
            raise DestinationError(f"{target} has no dataset yet: run `cloudflare-oauth sync`") from None


def _first_value(column: pd.Series) -> Any:
    place = column.first_valid_index()
    return None if place is None else column[place]


def _with_views(query: str, waivers: Sequence[Waiver]) -> str:
    # The views' own queries: with the waivers as they are now, and where the destination has no views.
    views = load_views()
    used = _tables(sqlglot.parse_one(query, read="duckdb"))
    needed: dict[str, str] = {}
    for name in reversed(views):
        if name in used:
            needed[name] = views[name].select(waivers)
            used |= _tables(sqlglot.parse_one(views[name].query, read="duckdb"))
    if not needed:
        return query
    ctes = ", ".join(f"{name} AS ({select})" for name, select in reversed(needed.items()))
    head = query.lstrip()
    if head[:5].upper() == "WITH ":
        return f"WITH {ctes}, {head[5:]}"
    return f"WITH {ctes} {head}"


def _tables(tree: exp.Expr) -> set[str]:
    return {table.name for table in tree.find_all(exp.Table)}


def elements(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row for each element of a column of comma-separated texts, those without any left out."""
    made = frame[frame[column].notna()].copy()
    made[column] = (
        made[column].astype("object").map(lambda text: [part.strip() for part in str(text).split(",")])
    )
    made = made.explode(column)
    return made[made[column].astype(bool)].reset_index(drop=True)


def told_apart(frame: pd.DataFrame, name: str = "account", id: str = "account_id") -> pd.DataFrame:
    """The frame, with the id behind each name that is more than one's."""
    owners = frame[[id, name]].drop_duplicates()[name].value_counts()
    shared = frame[name].map(owners).fillna(0) > 1
    return frame.assign(**{name: frame[name].where(~shared, frame[name] + " (" + frame[id] + ")")})


def counted(frame: pd.DataFrame, column: str, *, missing: str = "not given") -> pd.DataFrame:
    """How many rows have each value of a column: `name` and `count`, the most frequent first."""
    values = frame[column].astype("object")
    values = values.where(values.notna(), missing)
    made = values.value_counts().rename_axis("name").reset_index(name="count")
    return made.sort_values(["count", "name"], ascending=[False, True]).reset_index(drop=True)


def one_client(
    data: Data, account_id: str, client_id: str
) -> tuple[dict[str, Any], dict[str, Any], pd.DataFrame]:
    """A client in full: its fields by name, the elements of its arrays by name, and its history.

    The history has `observed_at`, `change` and, in words, `what`.
    """
    where = f"account_id = {literal(account_id)} AND client_id = {literal(client_id)}"
    fields = ", ".join(column.name for column in OAUTH_CLIENTS if not column.name.startswith("_"))
    rows = data.frame(f"SELECT {fields} FROM oauth_clients WHERE {where}")
    client = {} if rows.empty else rows.iloc[0].to_dict()
    arrays = {
        name: list(
            data.frame(f"SELECT value FROM oauth_clients__{name} WHERE {where} ORDER BY _dlt_list_idx")[
                "value"
            ]
        )
        for name in ARRAYS
    }
    history = data.frame(
        "SELECT observed_at, change, changed_fields, document_before, document_after "
        f"FROM oauth_client_changes WHERE {where} ORDER BY observed_at DESC"
    )
    return client, arrays, with_words(history)


def with_words(changes: pd.DataFrame) -> pd.DataFrame:
    """Rows of the change log with `what`: lines that say what changed."""
    what = [in_words(row) for row in changes.astype("object").to_dict("records")]
    return changes.assign(what=pd.Series(what, index=changes.index, dtype="object"))


def with_documents(data: Data, changes: pd.DataFrame) -> pd.DataFrame:
    """Rows of the change log, by `change_id`, with `changed_fields` and the documents before and after."""
    ids = ", ".join(literal(str(change_id)) for change_id in changes["change_id"]) or "NULL"
    documents = data.frame(
        "SELECT change_id, changed_fields, document_before, document_after "
        f"FROM oauth_client_changes WHERE change_id IN ({ids})"
    )
    return changes.merge(documents, on="change_id", how="left")


def distinct(values: pd.Series) -> str:
    """The values that there are, each once."""
    return ", ".join(sorted({str(value) for value in values}))
