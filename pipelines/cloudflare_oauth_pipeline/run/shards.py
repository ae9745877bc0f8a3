"""Several syncs into one dataset: which accounts each reads, with which token, and what they come to.

    accounts = {"emea": list_accounts(api_token=…), "apac": list_accounts(api_token=…)}
    shards = plan_shards(accounts, shards=4)
    results = [sync(Target(…, pipeline_name=shard.name), shard.settings(api_token=…)) for shard in shards]
    total = combine(results)

Nothing here holds a credential: a shard knows its token by name.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from cloudflare_oauth import (
    CloudflareError,
    ConfigurationError,
    SyncSettings,
    checked_account_ids,
    events,
    resolve_settings,
    resources,
)
from cloudflare_oauth.records import Row

from .summary import CLIENT_COUNTS, Summary

# What is a name of a pipeline, and of a partition or a mapped step in an orchestrator, whichever it is.
_TOKEN_NAME = re.compile(r"[A-Za-z0-9_]{1,50}")
_SHARD_NAME = re.compile(r"[A-Za-z0-9_]{1,60}")


@dataclass(frozen=True)
class Account:
    """An account that credentials see.

    Attributes:
        id: in lower case, as Cloudflare writes it.
        name: as Cloudflare gave it; None if it gave none.
        document: what Cloudflare gave, redacted, as JSON text: a sync that is given it writes the row that it
            would write if it had listed the account itself. None if only the id is known.
    """

    id: str
    name: str | None = None
    document: str | None = None

    def __post_init__(self) -> None:
        (account_id,) = checked_account_ids([self.id])
        # The way for a frozen dataclass to normalise its own fields.
        object.__setattr__(self, "id", account_id)
        for name in ("name", "document"):
            if not isinstance(getattr(self, name), str | None):
                raise ConfigurationError(f"account {account_id}: its {name} is no text.")

    def as_json(self) -> dict[str, Any]:
        """The fields by name; `from_json` brings the account back."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The account that `as_json` wrote.

        Raises:
            ConfigurationError: the document is not what `as_json` writes.
        """
        try:
            return cls(**document)
        except TypeError as error:
            raise ConfigurationError(f"this is not an account: {error}") from None


@dataclass(frozen=True, kw_only=True)
class Shard:
    """The accounts that one sync reads with one token.

    Attributes:
        name: for the sync's `pipeline_name`: letters, digits and `_`; the same from run to run.
        token: the name that the token was given.
        accounts: what to read.
        quota_share: the part of the token's quota that the shard may use; its shards share it.
        is_first: whether the sync also reads what belongs to no account and renews the views, which is enough
            once.

    Raises:
        ConfigurationError: a value cannot be used.
    """

    name: str
    token: str
    accounts: tuple[Account, ...]
    quota_share: float
    is_first: bool = False

    def __post_init__(self) -> None:
        for value, allowed in ((self.name, _SHARD_NAME), (self.token, _TOKEN_NAME)):
            if not isinstance(value, str) or not allowed.fullmatch(value):
                raise ConfigurationError(f"{value!r} cannot name a shard or its token.")
        if not self.accounts:
            raise ConfigurationError(f"shard {self.name}: there is no account to read.")
        if type(self.quota_share) not in (int, float) or not 0 < self.quota_share <= 1:
            raise ConfigurationError(
                f"shard {self.name}: quota_share is {self.quota_share!r}, but it has to be above 0, up to 1."
            )
        if type(self.is_first) is not bool:
            raise ConfigurationError(f"shard {self.name}: is_first is neither true nor false.")

    @property
    def account_ids(self) -> tuple[str, ...]:
        """The ids of the accounts."""
        return tuple(account.id for account in self.accounts)

    def settings(
        self,
        base: SyncSettings | None = None,
        *,
        api_token: str | None = None,
        email: str | None = None,
        api_key: str | None = None,
    ) -> SyncSettings:
        """The settings of the shard's sync.

        Args:
            base: what else the sync is told; of its quota, the shard gets its part.
            api_token: the token that the shard names, or `email` and `api_key`; otherwise those of `base`.

        Raises:
            ConfigurationError: a value cannot be used.
        """
        base = _with_credentials(base, api_token, email, api_key)
        return replace(
            base,
            account_ids=self.account_ids,
            account_documents=tuple(account.document for account in self.accounts if account.document),
            quota_share=base.quota_share * self.quota_share,
            with_shared=self.is_first,
        )

    def as_json(self) -> dict[str, Any]:
        """The shard as a JSON object; `from_json` brings it back."""
        return asdict(self) | {"accounts": [account.as_json() for account in self.accounts]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The shard that `as_json` wrote.

        Raises:
            ConfigurationError: the document is not what `as_json` writes.
        """
        try:
            accounts = tuple(map(Account.from_json, document["accounts"]))
            return cls(**{**document, "accounts": accounts})
        except KeyError as error:
            raise ConfigurationError(f"this is not a shard: it lacks {error}") from None
        except TypeError as error:
            raise ConfigurationError(f"this is not a shard: {error}") from None


def _with_credentials(
    base: SyncSettings | None, api_token: str | None, email: str | None, api_key: str | None
) -> SyncSettings:
    """The settings with these credentials, if any is given: those of two places are never combined."""
    base = base or SyncSettings()
    if (api_token, email, api_key) == (None, None, None):
        return base
    return replace(base, api_token=api_token, email=email, api_key=api_key)


def list_accounts(
    settings: SyncSettings | None = None,
    *,
    api_token: str | None = None,
    email: str | None = None,
    api_key: str | None = None,
    observer: events.Observer = events.ignore,
) -> list[Account]:
    """The accounts that credentials see, by id; what is not given is looked up as by `sync`.

    If the settings name accounts, only those of them that are listed; none that they exclude. An account that
    a sync would reject is left out, which `observer` is told.

    Source: `GET /accounts`, page by page until the list is proven whole.

    Raises:
        ConfigurationError: a setting cannot be used, or there are no credentials.
        CloudflareError: the accounts cannot be listed, or the list is not proven whole.
    """
    settings = resolve_settings(_with_credentials(settings, api_token, email, api_key))
    # Not at the top: the command line reads in another process, and never needs the HTTP libraries.
    from cloudflare_oauth.reading import open_reader_thread

    with open_reader_thread(settings, observer) as reader:
        # As if none were stored: of one that is, the document would be left out.
        listing = reader.begin(resources.ACCOUNT, {})()
    if listing.problem:
        raise CloudflareError(f"the list of accounts is not proven whole: {listing.problem}; try again")
    if listing.rejections:
        reasons = sorted({rejection.reason for rejection in listing.rejections})
        observer(
            events.Warned(
                f"{len(listing.rejections)} accounts could not be taken: {'; '.join(reasons)}", True
            )
        )
    found = [
        Account(row.key, row.columns.get("name"), _whole_document(row))
        for row in listing.rows
        if (settings.account_ids is None or row.key in settings.account_ids)
        and row.key not in settings.exclude_account_ids
    ]
    return sorted(found, key=lambda account: account.id)


def _whole_document(row: Row) -> str:
    """The row's document, with the fields that could not be taken: the sync of a shard has to report them."""
    if row.rejected_fields is None:
        return row.document
    return json.dumps(json.loads(row.document) | json.loads(row.rejected_fields.document))


def plan_shards(accounts: Mapping[str, Iterable[Account]], shards: int | None = None) -> list[Shard]:
    """Divide accounts among tokens, and those of each token among shards.

    Every account is read once, with a token that sees it, and no other division would make the loads of the
    tokens more equal. The same accounts give the same plan, in whatever order they come.

    Args:
        accounts: what each token sees, by a name for the token (letters, digits, `_`).
        shards: how many there are to be, if there are so many accounts; at least one for each token that has
            any. One for each token by default: its quota is what a shard of it waits for.

    Raises:
        ConfigurationError: a name cannot be used, or there is no account.
    """
    if shards is not None and (type(shards) is not int or shards < 1):
        raise ConfigurationError(f"shards is {shards}, but it has to be 1 or more.")
    for token in accounts:
        if not isinstance(token, str) or not _TOKEN_NAME.fullmatch(token):
            raise ConfigurationError(f"{token!r}: name a token by up to 50 letters, digits and '_'.")
    if len({token.lower() for token in accounts}) < len(accounts):
        # The folders of two pipelines would be one where a file system ignores case.
        raise ConfigurationError("Two tokens have names that differ only in case: name one otherwise.")
    of_token = {token: found for token, found in _assigned(accounts).items() if found}
    if not of_token:
        raise ConfigurationError("There is no account to read: no token sees any.")
    planned: list[Shard] = []
    for token, number in _numbers(of_token, shards or 0).items():
        # Every so many-th, so that large accounts, which may be neighbours, are spread.
        planned += [
            Shard(
                name=f"{token}_{index + 1}",
                token=token,
                accounts=tuple(of_token[token][index::number]),
                quota_share=1 / number,
                is_first=not planned and index == 0,
            )
            for index in range(number)
        ]
    return planned


def _assigned(accounts: Mapping[str, Iterable[Account]]) -> dict[str, list[Account]]:
    """The accounts by the token that reads them, as that token sees them."""
    seen: dict[str, dict[str, Account]] = {}
    seen_by: dict[str, list[str]] = {}
    for token in sorted(accounts):
        # Of two with one id, the one that says more.
        found = sorted(accounts[token], key=lambda one: (one.id, one.document or "", one.name or ""))
        seen[token] = {account.id: account for account in found}
        for account_id in seen[token]:
            seen_by.setdefault(account_id, []).append(token)
    return {
        token: [seen[token][account_id] for account_id in sorted(account_ids)]
        for token, account_ids in _balanced(seen_by, list(seen)).items()
    }


def _balanced(seen_by: Mapping[str, list[str]], tokens: list[str]) -> dict[str, Iterable[str]]:
    """The ids of accounts by token, with loads as equal as they can be.

    Each account in turn goes to the least loaded token that can be reached: one that sees it, or one that can
    take over another account from such a token, and so on. That keeps the division optimal (Harvey, Ladner,
    Lovász and Tamir: Semi-matchings for bipartite graphs and load balancing).
    """
    # By two tokens: the accounts that the first reads and the second sees. The inner dictionaries are ordered
    # sets.
    read: dict[str, dict[str, dict[str, None]]] = {one: {other: {} for other in tokens} for one in tokens}

    def place(account_id: str, token: str) -> None:
        for other in seen_by[account_id]:
            read[token][other][account_id] = None

    def take(token: str, receiver: str) -> str:
        account_id = next(iter(read[token][receiver]))
        for other in seen_by[account_id]:
            del read[token][other][account_id]
        return account_id

    # Those first that leave no choice, so that little has to be taken over.
    for account_id in sorted(seen_by, key=lambda one: (len(seen_by[one]), one)):
        # The tokens that can be reached, the nearest first, each with the one that it takes over from.
        giver: dict[str, str | None] = dict.fromkeys(seen_by[account_id])
        reached = list(giver)
        for token in reached:
            further = [other for other in tokens if other not in giver and read[token][other]]
            giver |= dict.fromkeys(further, token)
            reached += further
        token = min(reached, key=lambda one: len(read[one][one]))
        while (gives := giver[token]) is not None:
            place(take(gives, token), token)
            token = gives
        place(account_id, token)
    return {token: read[token][token] for token in tokens}


def _numbers(of_token: Mapping[str, list[Account]], shards: int) -> dict[str, int]:
    """How many shards each token gets: the next one goes to the token whose shards are the largest."""
    numbers = dict.fromkeys(of_token, 1)
    while sum(numbers.values()) < shards:
        token = max(numbers, key=lambda one: len(of_token[one]) / numbers[one])
        if len(of_token[token]) <= numbers[token]:
            # Each account has a shard of its own.
            break
        numbers[token] += 1
    return numbers


def combine(results: Iterable[Summary | None]) -> Summary:
    """The summary of several syncs into one dataset, as if one had read all of their accounts.

    It failed if one of them did. `unread_accounts` are those that none of them has read, although they are in
    the dataset: no token lists them any more, or the sync that was to read them has no summary. They keep
    their clients. `duration_seconds` is that of the longest.

    Args:
        results: None stands for a sync that raised an error, and so has no summary.

    Raises:
        ConfigurationError: there is no result.
    """
    results = list(results)
    if not results:
        raise ConfigurationError("There is nothing to combine: no sync has a result.")
    found = [one for one in results if one is not None]
    statuses = {one.status if one else "failed" for one in results}
    accounts, clients = Counter[str](), Counter[str]()
    for one in found:
        accounts.update(one.accounts)
        clients.update(one.clients)
    unread = [set(one.unread_accounts) for one in found]
    return Summary(
        sync_id=",".join(one.sync_id for one in found),
        status=next((status for status in ("failed", "partial") if status in statuses), "complete"),
        accounts=dict(sorted(accounts.items())),
        clients={name: clients[name] for name in CLIENT_COUNTS},
        requests=sum(one.requests for one in found),
        retries=sum(one.retries for one in found),
        rate_limited=sum(one.rate_limited for one in found),
        waited_seconds=sum(one.waited_seconds for one in found),
        duration_seconds=max((one.duration_seconds for one in found), default=0.0),
        unread_accounts=tuple(sorted(set.intersection(*unread))) if unread else (),
    )
