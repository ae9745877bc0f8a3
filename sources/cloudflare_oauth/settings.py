"""The settings of a sync as frozen value objects, checked when they are made."""

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Self

from .errors import ConfigurationError

DEFAULT_BASE_URL = "https://api.cloudflare.com/client/v4"

_ACCOUNT_ID = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
# Only URLs that every parser splits in the same way.
_BASE_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?(/[a-z0-9._~-]+)*",
    re.IGNORECASE,
)
_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")
_LONGEST_AGE = timedelta(days=365_000)


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """An API token, or the legacy pair of email and global API key; `repr` shows neither."""

    api_token: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The request headers that carry the credentials."""
        if self.api_token:
            return {"Authorization": f"Bearer {self.api_token}"}
        return {"X-Auth-Email": self.email or "", "X-Auth-Key": self.api_key or ""}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown or stored."""
        return tuple(value for value in (self.api_token, self.api_key) if value)


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Which API to call, and as whom."""

    base_url: str
    credentials: Credentials


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a request may take and how often it is attempted; times in seconds.

    Circuit breaker, over all accounts: no more requests are sent after `unanswered_in_a_row` requests
    without a response within `unanswered_seconds`, or after `refused_in_a_row` responses with status 429.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 20.0
    total_seconds: float = 60.0
    attempts: int = 5
    first_backoff_seconds: float = 0.5
    longest_backoff_seconds: float = 20.0
    backoff_budget_seconds: float = 60.0
    unanswered_in_a_row: int = 40
    unanswered_seconds: float = 300.0
    refused_in_a_row: int = 50


@dataclass(frozen=True, kw_only=True)
class SyncSettings:
    """Everything that one sync may be told about Cloudflare, checked and normalised.

    What is None here, `configuration.resolve_settings` looks up in the environment and in dlt's
    configuration. `repr` and `as_json` show no credential.

    Attributes:
        api_token: or `email` and `api_key`.
        base_url: of the API; plain `http` only to a loopback host.
        account_ids: read only these accounts, and list none; None reads every account that is listed.
        exclude_account_ids: leave these accounts out.
        account_documents: accounts that were listed elsewhere, each as JSON text; of those that `account_ids`
            names, it becomes the row that a listing would have made.
        concurrency: number of requests in flight at once.
        quota_share: largest share of Cloudflare's quota to use (above 0, up to 1).
        max_delete_fraction: largest share of an account's known clients that may vanish at once (0 to 1).
        resume_within: leave out accounts that were read and loaded completely so recently.
        with_shared: also read what belongs to no account, the catalogue of scopes, and renew the views:
            enough once among several syncs into one dataset.
        observed_at: the time at which new content counts as first seen; now by default.
        limits: timeouts and attempts of requests.

    Raises:
        ConfigurationError: a value cannot be used, or there is no account to read: `account_ids` is empty, or
            every one of them is excluded.
    """

    api_token: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    account_ids: tuple[str, ...] | None = None
    exclude_account_ids: tuple[str, ...] = ()
    # As long as there are accounts, so that it would hide the rest.
    account_documents: tuple[str, ...] = field(default=(), repr=False)
    concurrency: int = 8
    quota_share: float = 0.9
    max_delete_fraction: float = 0.5
    resume_within: timedelta | None = None
    with_shared: bool = True
    observed_at: datetime | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if type(self.concurrency) is not int or self.concurrency < 1:
            raise ConfigurationError(f"concurrency is {self.concurrency}, but it has to be 1 or more.")
        if not 0 < self.quota_share <= 1:
            raise ConfigurationError(f"quota_share is {self.quota_share}, but it has to be above 0, up to 1.")
        if not 0 <= self.max_delete_fraction <= 1:
            raise ConfigurationError(
                f"max_delete_fraction is {self.max_delete_fraction}, but it has to be from 0 to 1."
            )
        if self.resume_within is not None and not timedelta(0) <= self.resume_within < _LONGEST_AGE:
            raise ConfigurationError(f"resume_within is {self.resume_within}, but it has to be an age.")
        if self.observed_at is not None and self.observed_at.tzinfo is None:
            raise ConfigurationError(f"observed_at is {self.observed_at}, but it has to have a time zone.")
        if type(self.with_shared) is not bool:
            raise ConfigurationError(f"with_shared is {self.with_shared!r}, but it has to be true or false.")
        self._set("account_documents", _checked_documents(self.account_documents))
        for name, title in (("api_token", "API token"), ("email", "email"), ("api_key", "API key")):
            self._set(name, _checked_secret(title, getattr(self, name)))
        self._set("base_url", _checked_base_url(self.base_url))
        if self.account_ids is not None:
            self._set("account_ids", checked_account_ids(self.account_ids))
        self._set("exclude_account_ids", checked_account_ids(self.exclude_account_ids))
        if self.account_ids is not None and not set(self.account_ids) - set(self.exclude_account_ids):
            why = "every account that is named is excluded, too" if self.account_ids else "none is named"
            raise ConfigurationError(
                f"There is no account to read: {why}. Name at least one account (--account, "
                "CLOUDFLARE_ACCOUNT_ID, account_ids), or none at all, to read every account that is listed."
            )

    def _set(self, name: str, value: Any) -> None:
        # The way for a frozen dataclass to normalise its own fields.
        object.__setattr__(self, name, value)

    @property
    def credentials(self) -> Credentials | None:
        """The credentials, if they are complete."""
        if self.api_token:
            return Credentials(api_token=self.api_token)
        if self.email and self.api_key:
            return Credentials(email=self.email, api_key=self.api_key)
        return None

    @property
    def connection(self) -> Connection:
        """Which API to call, and as whom.

        Raises:
            ConfigurationError: there are no credentials.
        """
        if self.credentials is None:
            raise ConfigurationError(
                "No Cloudflare credentials. Set CLOUDFLARE_API_TOKEN to an API token with the permission "
                '"OAuth Client Read" (or CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY), or put api_token under '
                "[sources.cloudflare_oauth] in .dlt/secrets.toml."
            )
        return Connection(base_url=self.base_url or DEFAULT_BASE_URL, credentials=self.credentials)

    def with_credentials(self, credentials: Credentials) -> Self:
        """The same settings with other credentials."""
        return replace(
            self, api_token=credentials.api_token, email=credentials.email, api_key=credentials.api_key
        )

    def as_json(self) -> dict[str, Any]:
        """The settings without credentials, as a JSON object; `from_json` brings them back."""
        document: dict[str, Any] = {
            name.name: getattr(self, name.name) for name in fields(self) if name.name not in _CREDENTIALS
        }
        return document | {
            "account_ids": None if self.account_ids is None else list(self.account_ids),
            "exclude_account_ids": list(self.exclude_account_ids),
            "account_documents": list(self.account_documents),
            "resume_within": None if self.resume_within is None else self.resume_within.total_seconds(),
            "observed_at": None if self.observed_at is None else self.observed_at.isoformat(),
            "limits": asdict(self.limits),
        }

    @classmethod
    def from_json(
        cls,
        document: Mapping[str, Any],
        *,
        api_token: str | None = None,
        email: str | None = None,
        api_key: str | None = None,
    ) -> Self:
        """The settings that `as_json` wrote, with these credentials.

        Raises:
            ConfigurationError: the document is not what `as_json` writes, or a value cannot be used.
        """
        try:
            values = dict(document)
            if (seconds := values.get("resume_within")) is not None:
                values["resume_within"] = timedelta(seconds=seconds)
            if (moment := values.get("observed_at")) is not None:
                values["observed_at"] = datetime.fromisoformat(moment)
            values["limits"] = Limits(**values.get("limits", {}))
            return cls(**values, api_token=api_token, email=email, api_key=api_key)
        except (AttributeError, OverflowError, TypeError, ValueError) as error:
            raise ConfigurationError(f"these are not the settings of a sync: {error}") from None


_CREDENTIALS = frozenset({"api_token", "email", "api_key"})


def is_account_id(value: Any) -> bool:
    """Whether it is an account id: 32 hexadecimal characters, in either case."""
    return isinstance(value, str) and _ACCOUNT_ID.fullmatch(value) is not None


def checked_account_ids(account_ids: Iterable[str]) -> tuple[str, ...]:
    """The ids, each once, in lower case as Cloudflare writes them.

    Raises:
        ConfigurationError: one of them is not an account id.
    """
    if not isinstance(account_ids, Iterable):
        raise ConfigurationError(f"{account_ids!r} is not a list of account ids.")
    account_ids = tuple(account_ids)
    for account_id in account_ids:
        if not is_account_id(account_id):
            raise ConfigurationError(
                f"{account_id!r} is not an account id: 32 hexadecimal characters, as in the URL of the "
                "account's dashboard."
            )
    return tuple(dict.fromkeys(account_id.lower() for account_id in account_ids))


def _checked_documents(documents: Iterable[str]) -> tuple[str, ...]:
    """The JSON texts of accounts, which are objects with an id; what they say is checked as in a listing."""
    if isinstance(documents, str) or not isinstance(documents, Iterable):
        raise ConfigurationError("account_documents is not a list of accounts, each as JSON text.")
    documents = tuple(documents)
    for number, document in enumerate(documents, start=1):
        if not _is_account(document):
            raise ConfigurationError(
                f"account_documents: number {number} is not the JSON text of an account with an id."
            )
    return documents


def _is_account(document: Any) -> bool:
    try:
        account = json.loads(document)
    except (TypeError, ValueError, RecursionError):
        return False
    return isinstance(document, str) and isinstance(account, dict) and is_account_id(account.get("id"))


def is_loopback(host: str) -> bool:
    """Whether the host of a URL is this machine, decided without a name server."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(host: str, port: str | None) -> bool:
    """Whether a URL's host, an IPv6 address in brackets, and its port can exist."""
    if port and int(port) > 65_535:
        return False
    try:
        return not host.startswith("[") or ipaddress.ip_address(host.strip("[]")).version == 6
    except ValueError:
        return False


def _checked_secret(title: str, value: str | None) -> str | None:
    if value is None:
        return None
    if not (value := value.strip()):
        # Not looked up elsewhere: another token may belong to another organisation.
        raise ConfigurationError(f"The {title} that was given is empty: give one, or none at all.")
    if not _HEADER_VALUE.fullmatch(value):
        # The value itself stays out of the message: most of it may be the real secret.
        raise ConfigurationError(
            f"The {title} contains a space or another character that is in none: give it alone, without "
            "'Bearer', quotes or a second line."
        )
    return value


def _checked_base_url(base_url: str | None) -> str | None:
    if not base_url:
        return None
    url = base_url.strip().rstrip("/")
    plain = _BASE_URL.fullmatch(url)
    if not plain or not is_address(plain["host"], plain["port"]):
        # Part of it may be a password.
        raise ConfigurationError(
            "The base URL is not usable: it has to be https://, a host, a port or none, and a plain path "
            "(CLOUDFLARE_BASE_URL)."
        )
    if plain["scheme"].lower() == "http" and not is_loopback(plain["host"].strip("[]").lower()):
        raise ConfigurationError(
            f"The base URL {url!r} would send the credentials unencrypted: use https "
            "(plain http is for a loopback host only)."
        )
    return url
