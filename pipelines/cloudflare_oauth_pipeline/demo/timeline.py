"""Deterministic daily changes to an organisation, each of them reported to the caller."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ..fake_api.accounts_and_clients import Organisation
from ..fake_api.scopes import OAUTH_SCOPES

# `advance` counts days from here: its day 1 is the day after.
DAY_ZERO = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

_WRITE_SCOPES = tuple(scope["id"] for scope in OAUTH_SCOPES if scope["id"].endswith(".write"))
_JOBS = ("Terraform runner", "Log shipper", "Status page", "Cache purger", "Certificate watcher")


@dataclass(frozen=True)
class ClientChange:
    """A change to one client on one day: a row that the change log must contain.

    `change` is `created`, `updated` or `deleted`; `changed_fields` is empty unless it is `updated`.
    """

    account_id: str
    client_id: str
    change: str
    changed_fields: tuple[str, ...] = ()


def advance(organisation: Organisation, day: int, now: datetime | None = None) -> list[ClientChange]:
    """Apply the changes of day `day` (1, 2, …) to an organisation that has lived through all days before it.

    The changes happen at `now`, by default one day later than those of the previous day.

    One client is created, one gets another redirect URI, one gets another scope, one has its secret rotated,
    one has its old secret deleted, one is deleted, and every third day one becomes public.
    Updates move `updated_at`, except those of a secret, for which Cloudflare does not promise it.
    """
    return list(_Day(organisation, day, now or DAY_ZERO + timedelta(days=day)).changes())


class _Day:
    def __init__(self, organisation: Organisation, day: int, now: datetime) -> None:
        self._organisation = organisation
        self._day = day
        self._random = random.Random(f"day {day}")
        self._now = now.isoformat().replace("+00:00", "Z")
        clients = [
            (account, client)
            for account in organisation.account_ids()
            for client in organisation.clients(account)
            if isinstance(client, dict) and "client_name" in client
        ]
        self._random.shuffle(clients)
        self._untouched = iter(clients)

    def changes(self) -> Iterator[ClientChange]:
        yield self._create()
        yield self._add_redirect_uri()
        yield self._add_scope()
        yield self._set_rotated(False)
        yield self._set_rotated(True)
        if self._day % 3 == 0:
            yield self._make_public()
        yield self._delete()

    def _create(self) -> ClientChange:
        account = self._random.choice(self._organisation.account_ids())
        created = self._organisation.add(
            account,
            client_name=f"{self._random.choice(_JOBS)} {self._day}",
            redirect_uris=[f"https://day-{self._day}.example/callback"],
            scopes=["zone.read", self._random.choice(_WRITE_SCOPES)],
            grant_types=["authorization_code"],
            response_types=["code"],
            token_endpoint_auth_method="client_secret_basic",
            has_rotated_secret=False,
            created_at=self._now,
            updated_at=self._now,
        )
        return ClientChange(account, created["client_id"], "created")

    def _add_redirect_uri(self) -> ClientChange:
        account, client = next(self._untouched)
        uris = [*(client.get("redirect_uris") or ()), f"https://day-{self._day}.partner.example/cb"]
        return self._update(account, client, redirect_uris=uris)

    def _add_scope(self) -> ClientChange:
        account, client = next(self._untouched)
        scopes = client.get("scopes") or []
        new = self._random.choice([scope for scope in _WRITE_SCOPES if scope not in scopes])
        return self._update(account, client, scopes=[*scopes, new])

    def _set_rotated(self, is_rotated: bool) -> ClientChange:
        account, client = next(
            (account, client)
            for account, client in self._untouched
            if bool(client.get("has_rotated_secret")) is not is_rotated
        )
        self._organisation.change(account, client["client_id"], has_rotated_secret=is_rotated)
        return ClientChange(account, client["client_id"], "updated", ("has_rotated_secret",))

    def _make_public(self) -> ClientChange:
        account, client = next(
            (account, client) for account, client in self._untouched if client["visibility"] == "private"
        )
        return self._update(account, client, visibility="public", promoted_at=self._now)

    def _delete(self) -> ClientChange:
        account, client = next(self._untouched)
        self._organisation.remove(account, client["client_id"])
        return ClientChange(account, client["client_id"], "deleted")

    def _update(self, account: str, client: dict[str, Any], **fields: Any) -> ClientChange:
        changed = self._organisation.change(account, client["client_id"], **fields, updated_at=self._now)
        names = sorted(name for name in changed if changed[name] != client.get(name))
        return ClientChange(account, client["client_id"], "updated", tuple(names))
