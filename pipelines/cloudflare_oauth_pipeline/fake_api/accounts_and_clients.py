"""The accounts and OAuth clients that the fake API serves, in the order and form in which it sends them."""

import hashlib
import random
from typing import Any, Final

from .scopes import OAUTH_SCOPES

ABSENT: Final = object()
"""Pass this as a field's value to `Organisation.change` to remove the field from what is sent."""


def account_id(of: int | str) -> str:
    """Derive an account id, 32 hexadecimal characters, from a number or name; deterministic."""
    return hashlib.sha256(f"account {of}".encode()).hexdigest()[:32]


class Organisation:
    """Accounts and clients that can be changed at any time, even while they are being served.

    Documents are copied in and out, and replaced rather than modified in place, so that
    a request in progress keeps reading the old document.
    """

    def __init__(self) -> None:
        self._accounts: list[Any] = []
        self._clients: dict[str, list[Any]] = {}
        self._ids_made = 0
        self.scopes: list[Any] = _copied(OAUTH_SCOPES)
        """The scope catalogue that is served."""

    def add_account(self, account_id: str, name: str | None = None, **fields: Any) -> dict[str, Any]:
        """Add an account without clients, with the fields that `GET /accounts` sends."""
        if account_id in self._clients:
            raise ValueError(f"there already is an account {account_id}")
        account = _account(account_id, name) | _copied(fields)
        self._accounts.append(account)
        self._clients[account_id] = []
        return _copied_dict(account)

    def change_account(self, account_id: str, **fields: Any) -> dict[str, Any]:
        """Set fields of an account; remove those given as `ABSENT`."""
        for index, account in enumerate(self._accounts):
            if _id(account) == account_id:
                self._accounts[index] = _changed(account, fields)
                return _copied_dict(self._accounts[index])
        raise KeyError(f"there is no account {account_id}")

    def put_account(self, item: Any) -> None:
        """Append any item to the accounts, unchanged and without clients, even if it is no account."""
        self._accounts.append(_copied(item))

    def add(self, account_id: str, **fields: Any) -> dict[str, Any]:
        """Add a client, and its account if missing; only `client_id` and `visibility` have defaults."""
        document = {"client_id": fields.get("client_id") or self._new_client_id(account_id)}
        document |= {"visibility": "private"} | _copied(fields)
        self.put(account_id, document)
        return _copied_dict(document)

    def put(self, account_id: str, item: Any) -> None:
        """Append any item to an account's clients, unchanged, even if it is no client."""
        if account_id not in self._clients:
            self.add_account(account_id)
        self._clients[account_id].append(_copied(item))

    def change(self, account_id: str, client_id: str, **fields: Any) -> dict[str, Any]:
        """Set fields of a client; remove those given as `ABSENT`."""
        index = self._index(account_id, client_id)
        document = _changed(self._clients[account_id][index], fields)
        self._clients[account_id][index] = document
        return _copied_dict(document)

    def remove(self, account_id: str, client_id: str) -> None:
        """Delete a client."""
        del self._clients[account_id][self._index(account_id, client_id)]

    def remove_account(self, account_id: str) -> None:
        """Delete an account and all its clients."""
        del self._clients[account_id]
        self._accounts = [item for item in self._accounts if _id(item) != account_id]

    def shuffle(self, account_id: str, seed: int | str) -> None:
        """Reorder an account's clients; the same seed gives the same order."""
        shuffled = list(self._clients[account_id])
        random.Random(seed).shuffle(shuffled)
        self._clients[account_id] = shuffled

    def accounts(self) -> list[Any]:
        """Every account, in the order the API lists them."""
        return [_copied(item) for item in self._accounts]

    def account_ids(self) -> list[str]:
        """The ids of the accounts that can have clients, in the order the API lists them."""
        return list(self._clients)

    def clients(self, account_id: str) -> list[Any]:
        """Every client of an account, in the order the API lists them."""
        return [_copied(item) for item in self._clients[account_id]]

    def client(self, account_id: str, client_id: str) -> dict[str, Any]:
        """One client; raises `KeyError` if it does not exist."""
        return _copied_dict(self._clients[account_id][self._index(account_id, client_id)])

    def served_accounts(self) -> list[Any]:
        """The accounts themselves, uncopied and for reading only: the server slices its pages from them."""
        return self._accounts

    def served_clients(self, account_id: str) -> list[Any] | None:
        """An account's clients themselves, uncopied and for reading only; `None` if it does not exist."""
        return self._clients.get(account_id)

    def _index(self, account_id: str, client_id: str) -> int:
        for index, item in enumerate(self._clients[account_id]):
            if isinstance(item, dict) and item.get("client_id") == client_id:
                return index
        raise KeyError(f"account {account_id} has no client {client_id}")

    def _new_client_id(self, account_id: str) -> str:
        self._ids_made += 1
        return hashlib.sha256(f"client {self._ids_made} of {account_id}".encode()).hexdigest()[:32]


def _account(account_id: str, name: str | None) -> dict[str, Any]:
    return {
        "id": account_id,
        "name": f"Account {account_id[:8]}" if name is None else name,
        "type": "standard",
        "settings": {
            "enforce_twofactor": False,
            "api_access_enabled": None,
            "access_approval_expiry": None,
            "abuse_contact_email": None,
            "oauth_app_access_enabled": True,
        },
        "legacy_flags": {"enterprise_zone_quota": {"maximum": 0, "current": 0, "available": 0}},
        "created_on": "2021-03-01T12:21:02.491752Z",
    }


def _id(item: Any) -> Any:
    return item.get("id") if isinstance(item, dict) else None


def _changed(document: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    changed = document | _copied_dict(fields)
    return {name: value for name, value in changed.items() if value is not ABSENT}


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value


def _copied_dict(document: dict[str, Any]) -> dict[str, Any]:
    return {key: _copied(item) for key, item in document.items()}
