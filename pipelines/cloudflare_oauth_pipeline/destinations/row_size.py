"""The size of a row: arrays become rows of their own, and documents and other texts may be long."""

from cloudflare_oauth.records import JSON

# Shorter texts are not counted: every row has them.
LONG_TEXT = 256


def element_count(row: JSON) -> int:
    """The number of elements in the arrays of a row."""
    return sum(len(value) for value in row.values() if type(value) is list)


def character_count(row: JSON) -> int:
    """The number of characters in the long texts of a row."""
    return sum(len(value) for value in row.values() if type(value) is str and len(value) > LONG_TEXT)
