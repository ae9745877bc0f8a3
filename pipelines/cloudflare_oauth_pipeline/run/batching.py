"""Cuts an inventory into batches of whole accounts, so that a crash after an hour costs a minute."""

import time
from collections.abc import Iterator
from itertools import chain

from cloudflare_oauth.inventory import Rows

from ..destinations.batch import Batch, Piece

# A load has a fixed cost of about half a second: little beside a minute of reading, or this many rows. The
# first batch may be larger, because no earlier one is in memory; most syncs have no other.
FIRST_ROWS = 44_000
ROWS = 25_000
SECONDS = 60.0
# More than so many typical rows have. The rows of a batch are held in memory while they are loaded.
CHARACTERS = 50_000_000


def batches(pieces: Iterator[Rows], *, rows: int | None = None, seconds: float = SECONDS) -> Iterator[Batch]:
    """Cut the pieces of an inventory into batches; consume each before asking for the next. None is empty.

    A batch ends after so many rows (by default `FIRST_ROWS`, then `ROWS`), characters of long texts
    (`CHARACTERS`) or seconds, whichever comes first, and never within a piece.
    """
    weighed = map(Piece.of, pieces)
    is_first = True
    for piece in weighed:
        if piece.rows:
            limit = rows or (FIRST_ROWS if is_first else ROWS)
            yield Batch(chain([piece], weighed), limit, CHARACTERS, time.monotonic() + seconds)
            is_first = False
