"""Contender: the floor. Bare requests with httpx, eight at a time, then DuckDB's own JSON reader and SQL.

It creates the same tables of clients as a sync, but compares, checks and logs nothing.
"""

import asyncio
import math
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import duckdb
import httpx
import orjson

from .organisation import ARRAYS

CONCURRENCY = 8
PER_PAGE = 50

_ACCOUNT_COLUMNS = "id VARCHAR, name VARCHAR, type VARCHAR, created_on TIMESTAMPTZ"
_SCOPE_COLUMNS = "id VARCHAR, name VARCHAR, category VARCHAR, scopes VARCHAR[]"
_CLIENT_COLUMNS = ", ".join(
    (
        "client_id VARCHAR, client_name VARCHAR, visibility VARCHAR, client_uri VARCHAR, logo_uri VARCHAR",
        "policy_uri VARCHAR, tos_uri VARCHAR, token_endpoint_auth_method VARCHAR, has_rotated_secret BOOLEAN",
        "created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ, promoted_at TIMESTAMPTZ",
        "client_uri_verification STRUCT(status VARCHAR, text VARCHAR)",
        *(f"{array} VARCHAR[]" for array in ARRAYS),
    )
)


def main() -> None:
    """Load everything into the DuckDB file that dlt's variable names."""
    with tempfile.TemporaryDirectory(prefix="floor-") as folder:
        asyncio.run(_download(Path(folder)))
        with duckdb.connect(os.environ["DESTINATION__DUCKDB__CREDENTIALS"]) as connection:
            connection.begin()
            _make_tables(connection, Path(folder))
            connection.commit()


async def _download(folder: Path) -> None:
    """Write every response body to a file; pages of clients are named `clients-{account_id}-{page}.json`."""
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    headers = {"Authorization": f"Bearer {os.environ['CLOUDFLARE_API_TOKEN']}"}
    async with httpx.AsyncClient(
        base_url=os.environ["CLOUDFLARE_BASE_URL"], headers=headers, limits=limits
    ) as http:

        async def save(name: str, path: str, page: int) -> bytes:
            response = await http.get(path, params={"page": page, "per_page": PER_PAGE})
            body = response.raise_for_status().content
            (folder / f"{name}-{page}.json").write_bytes(body)
            return body

        async def save_clients(account_id: str, page: int) -> None:
            body = await save(f"clients-{account_id}", f"/accounts/{account_id}/oauth_clients", page)
            if page == 1:
                later.extend((account_id, number) for number in _later_pages(body))

        listed = [await save("accounts", "/accounts", 1)]
        for page in _later_pages(listed[0]):
            listed.append(await save("accounts", "/accounts", page))
        await save("scopes", "/oauth/scopes", 1)
        first = [(account["id"], 1) for body in listed for account in orjson.loads(body)["result"]]
        later: list[tuple[str, int]] = []
        await _save_concurrently(save_clients, first)
        await _save_concurrently(save_clients, later)


async def _save_concurrently(
    save: Callable[[str, int], Awaitable[None]], pages: Iterable[tuple[str, int]]
) -> None:
    """Save pages, eight at a time."""
    waiting = iter(pages)

    async def work() -> None:
        for account_id, page in waiting:
            await save(account_id, page)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONCURRENCY):
            tasks.create_task(work())


def _later_pages(first: bytes) -> range:
    return range(2, math.ceil(orjson.loads(first)["result_info"]["total_count"] / PER_PAGE) + 1)


def _make_tables(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    connection.execute("CREATE SCHEMA cloudflare")
    connection.execute("USE cloudflare")
    connection.execute(
        f"CREATE TABLE accounts AS SELECT unnest(result, recursive := true) FROM "
        f"{_read(folder, 'accounts', _ACCOUNT_COLUMNS)}"
    )
    connection.execute(
        f"CREATE TABLE oauth_scopes AS SELECT unnest(result, recursive := true) FROM "
        f"{_read(folder, 'scopes', _SCOPE_COLUMNS)}"
    )
    connection.execute(
        f"CREATE TEMP TABLE listed AS SELECT split_part(parse_filename(filename), '-', 2) AS account_id, "
        f"unnest(result) AS client FROM {_read(folder, 'clients', _CLIENT_COLUMNS)}"
    )
    connection.execute(
        f"CREATE TABLE oauth_clients AS SELECT account_id, "
        f"client.* EXCLUDE (client_uri_verification, {', '.join(ARRAYS)}), "
        "client.client_uri_verification.status AS client_uri_verification__status, "
        "client.client_uri_verification.text AS client_uri_verification__text FROM listed"
    )
    for array in ARRAYS:
        connection.execute(
            f"CREATE TABLE oauth_clients__{array} AS SELECT account_id, client.client_id AS client_id, "
            f"generate_subscripts(client.{array}, 1) - 1 AS _dlt_list_idx, unnest(client.{array}) AS value "
            "FROM listed"
        )


def _read(folder: Path, name: str, columns: str) -> str:
    return (
        f"read_json('{folder}/{name}-*.json', columns = {{result: 'STRUCT({columns})[]'}}, filename = true)"
    )


if __name__ == "__main__":
    main()
