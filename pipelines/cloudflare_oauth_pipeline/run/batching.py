"""Cuts an inventory into batches of whole accounts, so that a crash after an hour costs a minute."""

import time
from collections.abc import Iterator
from itertools import chain

from cloudflare_oauth.inventory.run import Rows

from ..destinations.row_size import character_count

# A load has a fixed cost of about half a second: little against a minute of reading, or these rows. The
# first batch, beside which most syncs have no other, may be larger: nothing of earlier ones is in memory yet.
FIRST_ROWS = 44_000
ROWS = 25_000
SECONDS = 60.0
# More than so many usual rows have; they are held in memory when they are loaded.
CHARACTERS = 50_000_000


def cut(
    pieces: Iterator[Rows], *, rows: int | None = None, seconds: float = SECONDS
) -> Iterator[Iterator[Rows]]:
    """Batches of pieces, each to be used up before the next; none is empty.

    A batch ends after so many rows (by default `FIRST_ROWS`, then `ROWS`), characters of long texts
    (`CHARACTERS`) or seconds, whichever comes first, and never within a piece.
    """
    rows_of_next = rows or FIRST_ROWS
    for piece in pieces:
        if _size(piece):
            yield _batch(chain([piece], pieces), rows_of_next, seconds)
            rows_of_next = rows or ROWS


def _batch(pieces: Iterator[Rows], rows: int, seconds: float) -> Iterator[Rows]:
    ends_at = time.monotonic() + seconds
    characters = CHARACTERS
    for piece in pieces:
        yield piece
        rows -= _size(piece)
        characters -= sum(map(character_count, chain.from_iterable(piece.values())))
        if min(rows, characters) <= 0 or time.monotonic() >= ends_at:
            return


def _size(piece: Rows) -> int:
    return sum(len(rows) for rows in piece.values())
