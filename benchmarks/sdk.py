"""Contender: Cloudflare's official SDK in a loop over accounts, feeding dlt.

The SDK's `oauth_clients.list` reads a single page, so the loop requests pages until one is not full.
"""

from collections.abc import Iterator
from typing import Any

import dlt
from cloudflare import Cloudflare
from dlt.extract import DltResource

PER_PAGE = 50


def main() -> None:
    """Load everything into the DuckDB file that dlt's variables name."""
    pipeline = dlt.pipeline("sdk", destination="duckdb", dataset_name="cloudflare")
    # The SDK itself reads CLOUDFLARE_BASE_URL and CLOUDFLARE_API_TOKEN.
    with Cloudflare() as cloudflare:
        pipeline.run(_inventory(cloudflare), loader_file_format="parquet")


@dlt.source(name="sdk")
def _inventory(cloudflare: Cloudflare) -> list[DltResource]:
    @dlt.resource(primary_key="id", write_disposition="merge")
    def accounts() -> Iterator[dict[str, Any]]:
        for account in cloudflare.accounts.list(per_page=PER_PAGE):
            yield account.to_dict()

    @dlt.resource(primary_key="id", write_disposition="merge")
    def oauth_scopes() -> Iterator[dict[str, Any]]:
        for scope in cloudflare.iam.oauth_scopes.list():
            yield scope.to_dict()

    @dlt.transformer(data_from=accounts, primary_key=("account_id", "client_id"), write_disposition="merge")
    def oauth_clients(account: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
        page = 1
        while True:
            clients = cloudflare.iam.oauth_clients.list(
                account_id=account["id"], extra_query={"page": page, "per_page": PER_PAGE}
            ).result
            yield [{"account_id": account["id"], **client.to_dict()} for client in clients]
            if len(clients) < PER_PAGE:
                return
            page += 1

    return [accounts, oauth_scopes, oauth_clients]


if __name__ == "__main__":
    main()
