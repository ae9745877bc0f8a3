"""How much a row is beside others: arrays become rows, and documents and other texts may be long."""

from cloudflare_oauth.records.canonical import JSON

# Usual columns are not counted: that every row has them is known.
LONG_TEXT = 256


def element_count(row: JSON) -> int:
    """How many elements the arrays of a row have."""
    return sum(len(value) for value in row.values() if type(value) is list)


def character_count(row: JSON) -> int:
    """How many characters the long texts of a row have."""
    return sum(len(value) for value in row.values() if type(value) is str and len(value) > LONG_TEXT)
