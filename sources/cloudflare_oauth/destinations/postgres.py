"""PostgreSQL: neither its texts nor its `jsonb` may contain NUL, and a row has to fit into a page."""

from .limits import DestinationLimits

LIMITS = DestinationLimits(
    holds_nul=False,
    # Every table has these system columns.
    reserved_columns=frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}),
    # PostgreSQL allows 1,600 and never forgets a dropped one; some are left for variants of columns.
    max_columns=1_500,
    # A page has 8,160 bytes; some are left for the declared columns.
    max_row_bytes=7_000,
)
