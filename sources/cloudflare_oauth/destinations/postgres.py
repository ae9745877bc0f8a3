"""PostgreSQL: neither its texts nor its `jsonb` may contain NUL."""

from .limits import DestinationLimits

LIMITS = DestinationLimits(holds_nul=False)
