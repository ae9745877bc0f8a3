"""Counts the rows in the tables of clients."""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.support.warehouses import Warehouse


def rows_of(warehouse: Warehouse) -> Mapping[str, int]:
    """Count rows by table: `oauth_clients` and its child tables.

    In a process of its own: the one that starts the contenders shares the machine's memory and caches with
    them, and has to stay small.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        return other.submit(_count, warehouse).result()


def _count(warehouse: Warehouse) -> dict[str, int]:
    return {
        table: len(warehouse.rows(table))
        for table in sorted(warehouse.tables())
        if table == "oauth_clients" or table.startswith("oauth_clients__")
    }
