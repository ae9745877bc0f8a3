"""Text from outside the program, made safe to display.

Names and messages come from Cloudflare and from the owners of OAuth clients. Control characters in them must
not act on a terminal or disguise what a page shows.
"""

from collections.abc import Iterable
from typing import Any

from rich.text import Text


def printable(value: Any) -> Text:
    """A value as text: control characters shown as escapes, markup not interpreted."""
    return Text("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value)))


def printable_lines(lines: Iterable[str]) -> Text:
    """Several lines as one text, each made safe like `printable`."""
    return Text("\n").join(map(printable, lines))
