"""The limits of a destination."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DestinationLimits:
    """What a destination can hold; the defaults suit one of which nothing is known.

    Attributes:
        holds_nul: whether a text may contain the character NUL.
        reserved_columns: names that no column may have.
        max_columns: the largest number of columns of a table.
        max_row_bytes: the largest size of a row without its long texts; None if there is no limit.
        max_nested_tables: the largest number of tables that the arrays of one resource may become.
        may_add_columns: whether a table that is there may get another column.
    """

    holds_nul: bool = False
    reserved_columns: frozenset[str] = frozenset()
    max_columns: int = 1_000
    max_row_bytes: int | None = None
    max_nested_tables: int = 200
    may_add_columns: bool = True
