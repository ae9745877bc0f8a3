"""What a destination tells of the views that are stored in it, so that they can be renewed in place."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from dlt.destinations.sql_client import SqlClientBase

Client = SqlClientBase[Any]


@dataclass(frozen=True)
class Relation:
    """A view, or anything else that a view of this name would meet; `kind` is its word for users."""

    kind: str
    comment: str | None


class Statement(NamedTuple):
    """A statement that gives a view back what its renewal took; it needs the column, if one is named."""

    column: str | None
    sql: str


class StoredViews(ABC):
    """The views of a destination that has comments and transactions over DDL.

    Every method queries the catalogue of the client's dataset, and raises `DatabaseException` if that fails.
    """

    # Whether `CREATE OR REPLACE VIEW` takes any columns, whatever depends on the view.
    replaces_any_columns = False

    @abstractmethod
    def relations(self, client: Client, names: Collection[str]) -> dict[str, Relation]:
        """What has one of these names, by the name."""

    @abstractmethod
    def dependents(self, client: Client, name: str) -> list[tuple[str | None, str]]:
        """What depends on a view, directly or not: its name if the dataset has it, and what users call it."""

    @abstractmethod
    def lost(self, client: Client, name: str, *, dropped: bool) -> list[Statement]:
        """The statements that give back what users attached to a view and its renewal takes away.

        Args:
            dropped: whether it is dropped and created, not replaced.
        """

    def lock(self, client: Client) -> None:
        """Keep other renewals out until the transaction ends, if they would not fail by themselves."""
        return

    def clear(self, client: Client, name: str) -> None:
        """Take from a view that was just created what the destination gave it unasked."""
        return


def literal(text: str) -> str:
    """A text as a literal of SQL."""
    return "'{}'".format(text.replace("'", "''"))


def literals(texts: Collection[str]) -> str:
    """Texts as literals of SQL, for `IN (…)`."""
    return ", ".join(map(literal, texts))
