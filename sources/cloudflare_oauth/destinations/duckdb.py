"""DuckDB and MotherDuck."""

from .limits import DestinationLimits

LIMITS = DestinationLimits(holds_nul=True)
