"""What happens to an organisation from one day to the next: the same every time, and told in full."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ..fake_api.accounts_and_clients import Organisation
from ..fake_api.scopes import OAUTH_SCOPES

# The day before the first that `advance` can play.
DAY_ZERO = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

_WRITE_SCOPES = tuple(scope["id"] for scope in OAUTH_SCOPES if scope["id"].endswith(".write"))
_JOBS = ("Terraform runner", "Log shipper", "Status page", "Cache purger", "Certificate watcher")


@dataclass(frozen=True)
class Happening:
    """What happened to one client on one day: a row that the change log has to have.

    `change` is `created`, `updated` or `deleted`; `changed_fields` is empty unless updated.
    """

    account_id: str
    client_id: str
    change: str
    changed_fields: tuple[str, ...] = ()


def advance(organisation: Organisation, day: int, now: datetime | None = None) -> list[Happening]:
    """Play the `day`-th day (1, 2, …) on an organisation that all days before have been played on.

    `now` is when it happens; a day after the day before by default.

    A client is made, one gets a redirect URI, one wider scopes, one has its secret rotated, of another
    the old secret is deleted, one client is deleted, and every third day one is made public.
    `updated_at` moves, but not for a secret, where Cloudflare does not promise that it does.
    """
    return list(_Day(organisation, day, now or DAY_ZERO + timedelta(days=day)).play())


class _Day:
    def __init__(self, organisation: Organisation, day: int, now: datetime) -> None:
        self._estate = organisation
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
        self._waiting = iter(clients)

    def play(self) -> Iterator[Happening]:
        yield self._create()
        yield self._redirect_elsewhere()
        yield self._widen()
        yield self._set_rotated(False)
        yield self._set_rotated(True)
        if self._day % 3 == 0:
            yield self._make_public()
        yield self._delete()

    def _create(self) -> Happening:
        account = self._random.choice(self._estate.account_ids())
        made = self._estate.add(
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
        return Happening(account, made["client_id"], "created")

    def _redirect_elsewhere(self) -> Happening:
        account, client = next(self._waiting)
        uris = [*(client.get("redirect_uris") or ()), f"https://day-{self._day}.partner.example/cb"]
        return self._update(account, client, redirect_uris=uris)

    def _widen(self) -> Happening:
        account, client = next(self._waiting)
        scopes = client.get("scopes") or []
        new = self._random.choice([scope for scope in _WRITE_SCOPES if scope not in scopes])
        return self._update(account, client, scopes=[*scopes, new])

    def _set_rotated(self, is_rotated: bool) -> Happening:
        account, client = next(
            (account, client)
            for account, client in self._waiting
            if bool(client.get("has_rotated_secret")) is not is_rotated
        )
        self._estate.change(account, client["client_id"], has_rotated_secret=is_rotated)
        return Happening(account, client["client_id"], "updated", ("has_rotated_secret",))

    def _make_public(self) -> Happening:
        account, client = next(
            (account, client) for account, client in self._waiting if client["visibility"] == "private"
        )
        return self._update(account, client, visibility="public", promoted_at=self._now)

    def _delete(self) -> Happening:
        account, client = next(self._waiting)
        self._estate.remove(account, client["client_id"])
        return Happening(account, client["client_id"], "deleted")

    def _update(self, account: str, client: dict[str, Any], **fields: Any) -> Happening:
        changed = self._estate.change(account, client["client_id"], **fields, updated_at=self._now)
        names = sorted(name for name in changed if changed[name] != client.get(name))
        return Happening(account, client["client_id"], "updated", tuple(names))
