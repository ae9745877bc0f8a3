"""Delta tables: parquet files hold every text."""

from .limits import DestinationLimits

LIMITS = DestinationLimits(holds_nul=True)
