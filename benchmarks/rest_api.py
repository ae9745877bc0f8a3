"""Contender: dlt's `rest_api_source`, configured as in its documentation, merging on the clients' key.

The API reports no number of pages for clients, so every listing of clients ends with an empty page.
"""

import argparse
import os
from typing import Any

import dlt
from dlt.sources.rest_api import rest_api_source
from dlt.sources.rest_api.typing import RESTAPIConfig

FORMATS: dict[str, dict[str, Any]] = {
    "default": {},
    "csv": {"loader_file_format": "csv"},
    "parquet": {"loader_file_format": "parquet"},
    "delta": {"loader_file_format": "parquet", "table_format": "delta"},
}


def main() -> None:
    """Load everything into the destination that dlt's variables describe."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rest_api")
    parser.add_argument("--destination", required=True)
    parser.add_argument("--format", choices=FORMATS, default="default")
    given = parser.parse_args()
    pipeline = dlt.pipeline("rest_api", destination=given.destination, dataset_name="cloudflare")
    source = rest_api_source(_config(os.environ["CLOUDFLARE_BASE_URL"], os.environ["CLOUDFLARE_API_TOKEN"]))
    pipeline.run(source, **FORMATS[given.format])


def _config(base_url: str, token: str) -> RESTAPIConfig:
    return {
        "client": {"base_url": base_url, "auth": {"type": "bearer", "token": token}},
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": [
            {
                "name": "accounts",
                "endpoint": {
                    "path": "accounts",
                    "params": {"per_page": 50},
                    "data_selector": "result",
                    "paginator": {
                        "type": "page_number",
                        "base_page": 1,
                        "total_path": "result_info.total_pages",
                    },
                },
            },
            {
                "name": "oauth_scopes",
                "endpoint": {"path": "oauth/scopes", "data_selector": "result", "paginator": "single_page"},
            },
            {
                "name": "oauth_clients",
                "primary_key": ["account_id", "client_id"],
                "endpoint": {
                    "path": "accounts/{resources.accounts.id}/oauth_clients",
                    "params": {"per_page": 50},
                    "data_selector": "result",
                    "paginator": {"type": "page_number", "base_page": 1, "total_path": None},
                },
                "include_from_parent": ["id"],
                "processing_steps": [{"map": _with_account_id}],
            },
        ],
    }


def _with_account_id(client: dict[str, Any]) -> dict[str, Any]:
    client["account_id"] = client.pop("_accounts_id")
    return client


if __name__ == "__main__":
    main()
