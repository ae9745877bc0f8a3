"""What people read: tables and messages in which nothing from outside can act on the terminal."""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from ...safe_text import printable

LONGEST_CELL = 1_000
# Of those with one and the same problem.
ACCOUNTS_NAMED = 5
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LONGEST_ID = 36
# What differs between messages of one kind: ids of clients, and numbers.
_VARYING = re.compile(rf"({_ID.pattern})(, ({_ID.pattern}))*|\d+")
_BORDERS = 3
# What other columns need at least.
_NARROW = 8
_NARROWEST, _USUAL, _WIDEST = 20, 80, 10_000


def stdout() -> Console:
    """Results."""
    return Console(file=sys.stdout, width=_width(), highlight=False, soft_wrap=False)


def stderr() -> Console:
    """Everything else."""
    return Console(file=sys.stderr, width=_width(), highlight=False, soft_wrap=True)


def _width() -> int | None:
    """A width to use instead of `COLUMNS`, where that is none."""
    columns = os.environ.get("COLUMNS", "")
    if not columns.isdecimal() or _NARROWEST <= int(columns[:9]) <= _WIDEST:
        return None
    return _USUAL


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table of values as text; null is empty, numbers are right-aligned."""
    rows = [["" if value is None else value for value in row] for row in rows]
    made = Table()
    whole = _columns_of_ids(columns, rows)
    for index, name in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        justify: JustifyMethod = "right" if is_number else "left"
        made.add_column(name, justify=justify, overflow="fold", no_wrap=index in whole)
    for row in rows:
        made.add_row(*map(_cell, row))
    return made


def _columns_of_ids(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> set[int]:
    """The columns that are not broken, so that an id can be copied, if there is room for them."""
    widths = {
        index: max(len(line) for row in rows for line in str(row[index]).splitlines() or [""])
        for index in range(len(columns))
        if any(_ID.fullmatch(line) for row in rows for line in str(row[index]).splitlines())
    }
    whole = {index for index, width in widths.items() if width <= _LONGEST_ID}
    needed = sum(_BORDERS + (widths[index] if index in whole else _NARROW) for index in range(len(columns)))
    return whole if needed < stdout().width else set()


def _cell(value: Any) -> Text:
    """The text of a cell; each of its lines is cut by itself, so that a long one hides no other."""
    text = value if isinstance(value, Text) else printable(value)
    if len(text) <= LONGEST_CELL:
        return text
    return Text("\n").join(map(_cut, text.split("\n", allow_blank=True)))


def _cut(line: Text) -> Text:
    if len(line) <= LONGEST_CELL:
        return line
    return line[:LONGEST_CELL] + Text(f"… ({len(line):,} characters; --format json has all)")


def print_json(value: Any) -> None:
    """One JSON document on standard output, for programs."""
    text = json.dumps(value, indent=2, default=_json_value)
    # The one control character that `json` leaves as it is.
    sys.stdout.write(text.replace("\x7f", "\\u007f") + "\n")


def _json_value(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


class ProblemsOfAccounts:
    """Prints problems of accounts as they come; of many accounts with one, only the first few."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def add(self, prefix: str, account_id: str, message: str) -> None:
        """Print a problem after `prefix`, unless enough accounts with the same one are named."""
        subject = f"account {account_id}"
        named = message if message.startswith(subject) else f"{subject}: {message}"
        first = message.replace(account_id, "…")
        kind = (prefix, _VARYING.sub("…", first))
        self._first.setdefault(kind, first)
        self._numbers[kind] += 1
        if self._numbers[kind] <= ACCOUNTS_NAMED:
            self._console.print(f"{prefix}:", printable(named))

    def sum_up(self) -> None:
        """Say how many accounts were not named."""
        for kind, number in self._numbers.items():
            if (more := number - ACCOUNTS_NAMED) > 0:
                told = f"{more} more accounts, {number} in all, for the same reason: {self._first[kind]}"
                self._console.print(f"{kind[0]}:", printable(told))


def complain(message: str, *, prefix: str = "error") -> None:
    """A message for a person, on standard error."""
    text = Text(f"{prefix}: ", style="bold red" if prefix == "error" else "yellow")
    stderr().print(text + printable(message))
