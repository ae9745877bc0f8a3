"""DuckDB and MotherDuck."""

from .limits import DestinationLimits

LIMITS = DestinationLimits(holds_nul=True, max_columns=2_000)
