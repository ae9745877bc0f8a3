"""What each destination can hold, as far as the source has to know; it imports no dlt.

limits        the limits of a destination, with the defaults for one that is not tested here
fit_check     the rows that it cannot hold
row_fitting   rows changed to what it can hold
requirements  what a destination needs, so that dlt can keep the tables exact
duckdb, postgres, delta_lake   the limits of one destination each
"""

from . import delta_lake, duckdb, postgres
from .fit_check import FitCheck
from .limits import DestinationLimits
from .requirements import check_destination
from .row_fitting import fitted

__all__ = ["DestinationLimits", "FitCheck", "check_destination", "fitted", "limits_of"]

_LIMITS = {
    "duckdb": duckdb.LIMITS,
    "motherduck": duckdb.LIMITS,
    "ducklake": duckdb.LIMITS,
    "postgres": postgres.LIMITS,
    "filesystem": delta_lake.LIMITS,
}


def limits_of(destination_type: str) -> DestinationLimits:
    """The limits of a destination, by dlt's type of it (`dlt.destinations.duckdb` or `duckdb`)."""
    return _LIMITS.get(destination_type.rpartition(".")[2], DestinationLimits())
