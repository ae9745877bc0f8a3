"""Text from outside the program, made safe to display.

Names and messages come from Cloudflare and from the owners of OAuth clients. Control characters in them must
not act on a terminal or disguise what a page shows, and characters without a width must not hide in them.
"""

from collections.abc import Iterable
from typing import Any

from rich.text import Text

# Letters and marks for Python, but blank on a screen: fillers, a joiner, inherent vowels, empty Braille.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def visible(value: Any) -> str:
    """A value as a string: control, bidirectional and invisible characters shown as escapes."""
    return "".join(
        c if c.isprintable() and c not in _BLANK else c.encode("unicode_escape").decode() for c in str(value)
    )


def printable(value: Any) -> Text:
    """A value as text: what `visible` makes of it, markup not interpreted."""
    return Text(visible(value))


def printable_lines(lines: Iterable[str]) -> Text:
    """Several lines as one text, each made safe like `printable`."""
    return Text("\n").join(map(printable, lines))
