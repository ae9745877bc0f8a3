"""The API's responses: accounts, their OAuth clients and the scope catalogue, rendered beforehand.

The clients of all accounts are the same except for eight characters in their ids and addresses, so that
ten thousand accounts take the memory of one.
"""

import hashlib
import json
from functools import cache
from typing import Any

BASE_PATH = "/client/v4"
MAX_PER_PAGE = 50
DEFAULT_PER_PAGE = 20
ARRAYS = (
    "redirect_uris",
    "scopes",
    "optional_scopes",
    "grant_types",
    "response_types",
    "allowed_cors_origins",
    "post_logout_redirect_uris",
)

# Exactly as long as the account key that replaces it, so that every page keeps its length.
_ACCOUNT = "@ACCOUNT"
_RESOURCES = ("zone", "dns", "workers-scripts", "workers-kv-storage", "account-settings", "logs", "d1")
_SCOPES = tuple(f"{resource}.{action}" for resource in _RESOURCES for action in ("read", "write"))


class Organisation:
    """Accounts with equally many clients each; every response is an envelope in bytes."""

    def __init__(self, *, accounts: int, clients_per_account: int) -> None:
        clients = [_client(number) for number in range(clients_per_account)]
        self._accounts = [_encoded(_account(number)) for number in range(accounts)]
        self._clients = [_encoded(client) for client in clients]
        self._keys = {_account_id(number): _account_key(number).encode() for number in range(accounts)}
        self._page_of_clients = cache(self._rendered_page_of_clients)
        self.scopes = _envelope([_encoded(_scope(number)) for number in range(380)], None)
        self.rows = {"oauth_clients": accounts * clients_per_account} | {
            f"oauth_clients__{array}": accounts * sum(len(client[array]) for client in clients)
            for array in ARRAYS
        }
        for page in range(1, len(clients) // MAX_PER_PAGE + 2):
            self._page_of_clients(page, MAX_PER_PAGE)

    def accounts(self, page: int, per_page: int) -> bytes:
        """A page of `GET /accounts`."""
        return _page(self._accounts, page, per_page, has_total_pages=True)

    def oauth_clients(self, account_id: str, page: int, per_page: int) -> bytes | None:
        """A page of `GET /accounts/{account_id}/oauth_clients`; None if the account does not exist."""
        key = self._keys.get(account_id)
        if key is None:
            return None
        return self._page_of_clients(page, per_page).replace(_ACCOUNT.encode(), key)

    def _rendered_page_of_clients(self, page: int, per_page: int) -> bytes:
        return _page(self._clients, page, per_page)


def _page(items: list[bytes], page: int, per_page: int, *, has_total_pages: bool = False) -> bytes:
    result = items[(page - 1) * per_page : page * per_page]
    info = {"count": len(result), "page": page, "per_page": per_page, "total_count": len(items)}
    if has_total_pages:
        info["total_pages"] = -(-len(items) // per_page)
    return _envelope(result, info)


def _envelope(result: list[bytes], info: dict[str, int] | None) -> bytes:
    result_info = b"" if info is None else b',"result_info":' + _encoded(info)
    return (
        b'{"success":true,"errors":[],"messages":[],"result":['
        + b",".join(result)
        + b"]"
        + result_info
        + b"}"
    )


def _encoded(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _account_key(number: int) -> str:
    return f"{number:08x}"


def _account_id(number: int) -> str:
    return _account_key(number) + _hash(f"account {number}")[:24]


def _account(number: int) -> dict[str, Any]:
    return {
        "id": _account_id(number),
        "name": f"Account {number}",
        "type": "standard",
        "settings": {
            "enforce_twofactor": number % 2 == 0,
            "api_access_enabled": None,
            "access_approval_expiry": None,
            "abuse_contact_email": None,
        },
        "created_on": f"2021-03-01T12:21:{number % 60:02}.491752Z",
    }


def _scope(number: int) -> dict[str, Any]:
    return {
        "id": f"resource-{number}.read",
        "name": f"Resource {number} Read",
        "category": "Developer Platform",
        "scopes": ["com.cloudflare.api.account"],
    }


def _client(number: int) -> dict[str, Any]:
    """A client with every documented field and nine array elements on average."""
    host = f"app-{number}.{_ACCOUNT}.example"
    is_public = number % 17 == 0
    refreshes = number % 5 < 3
    identifies = number % 4 == 0
    scopes = [_SCOPES[(number + step) % len(_SCOPES)] for step in range(2 + number % 3)]
    redirect_uris = [
        f"https://{host}/oauth/callback",
        f"https://{host}/api/auth/callback/cloudflare",
        "http://127.0.0.1/callback",
    ]
    return {
        "client_id": _hash(f"client {number}")[:24] + _ACCOUNT,
        "visibility": "public" if is_public else "private",
        "allowed_cors_origins": [f"https://{host}"] if number % 3 == 0 else [],
        "client_name": f"Team {number % 16} · application {number}",
        "client_uri": f"https://{host}",
        "client_uri_verification": {
            "status": "verified" if is_public else "pending",
            "text": f"cloudflare_oauth_client_publisher={_hash(f'text {number}')[:32]}",
        },
        "created_at": _moment(6, number),
        "grant_types": ["authorization_code", *(["refresh_token"] if refreshes else [])],
        "has_rotated_secret": number % 20 == 0,
        "logo_uri": f"https://{host}/logo.png",
        "optional_scopes": scopes[-1:] if number % 4 == 1 else [],
        "policy_uri": f"https://{_ACCOUNT}.example/privacy",
        "post_logout_redirect_uris": [f"https://{host}/signed-out"] if number % 4 == 2 else [],
        "promoted_at": _moment(9, number) if is_public else None,
        "redirect_uris": redirect_uris[: 1 + (number % 3 == 0) + (number % 6 == 0)],
        "response_types": ["code", *(["id_token"] if identifies else [])],
        "scopes": [*scopes, *(["openid"] if identifies else []), *(["offline_access"] if refreshes else [])],
        "token_endpoint_auth_method": "none" if number % 10 == 0 else "client_secret_basic",
        "tos_uri": f"https://{_ACCOUNT}.example/terms",
        "updated_at": _moment(10, number),
    }


def _moment(month: int, number: int) -> str:
    day, hour, minute, second = 1 + number % 28, number % 24, number % 60, number * 7 % 60
    return f"2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{number % 1_000_000:06}Z"
