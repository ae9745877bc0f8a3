"""What an adapter loads at once: a batch of pieces of an inventory, each with its size."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from cloudflare_oauth.inventory import Rows

from .row_size import character_count, element_count


@dataclass(frozen=True)
class Piece:
    """Rows by table, with their number, the number of their arrays' elements, and their long characters."""

    content: Rows
    rows: int
    elements: int
    characters: int

    @classmethod
    def of(cls, content: Rows) -> Self:
        """A piece, weighed."""
        rows = [row for table in content.values() for row in table]
        return cls(content, len(rows), sum(map(element_count, rows)), sum(map(character_count, rows)))


class Batch:
    """Pieces to be loaded together; iterate it once, then its totals are known.

    `is_last` says whether the inventory ended with this batch.
    """

    def __init__(
        self,
        pieces: Iterator[Piece],
        most_rows: float = float("inf"),
        most_characters: float = float("inf"),
        ends_at: float = float("inf"),
    ) -> None:
        self.is_last = False
        self.rows = self.elements = self.characters = 0
        self._pieces = pieces
        self._most_rows = most_rows
        self._most_characters = most_characters
        self._ends_at = ends_at

    def __iter__(self) -> Iterator[Piece]:
        for piece in self._pieces:
            self.rows += piece.rows
            self.elements += piece.elements
            self.characters += piece.characters
            yield piece
            if self._is_full:
                return
        self.is_last = True

    @property
    def _is_full(self) -> bool:
        return (
            self.rows >= self._most_rows
            or self.characters >= self._most_characters
            or time.monotonic() >= self._ends_at
        )
