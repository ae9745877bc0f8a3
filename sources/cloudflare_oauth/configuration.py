"""Settings of the source: where they come from, and whether they can be used.

First found wins: argument, environment (`CLOUDFLARE_…`, the names of Cloudflare's own SDKs), dlt's
configuration (`[sources.cloudflare_oauth]` in `.dlt/secrets.toml` or `.dlt/config.toml`, a vault, …).
"""

import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from .errors import ConfigurationError
from .settings import Connection, Credentials, is_loopback

DEFAULT_BASE_URL = "https://api.cloudflare.com/client/v4"
DLT_SECTION = "sources.cloudflare_oauth"
ACCOUNT_ID = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
# Only what every parser of URLs takes apart in the same way.
_BASE_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[a-z0-9._~-]+)*",
    re.IGNORECASE,
)
HEADER_VALUE = re.compile(r"[\x21-\x7e]+")
# Settings of dlt that say nothing of Cloudflare, nor of a destination, and what dlt takes for them.
_HARMLESS = {
    "RUNTIME__LOG_LEVEL": re.compile("[A-Z]+"),
    "RUNTIME__DLTHUB_TELEMETRY": re.compile("true|false", re.IGNORECASE),
    "LOAD__TRUNCATE_STAGING_DATASET": re.compile("true|false", re.IGNORECASE),
}
# Where dlt keeps files, besides `.dlt`, `/var/dlt` and a temporary folder.
_HOMES = {"HOME": ".dlt", "USERPROFILE": ".dlt", "XDG_DATA_HOME": "dlt"}

_LookUp = Callable[[str], Any]


def resolve_connection(
    *,
    account_ids: Sequence[str] | None = None,
    api_token: str | None = None,
    email: str | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Connection:
    """Complete what was given from the environment and from dlt's configuration, and check it.

    Raises:
        ConfigurationError: no credentials, or a setting that cannot be used.
    """
    return _resolved(account_ids, api_token, email, api_key, base_url, environment, _dlt_setting, _dlt_secret)


def guess_connection(
    *, account_ids: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ
) -> Connection | None:
    """What `resolve_connection` is going to say, as far as that can be known without importing dlt.

    Only where dlt's configuration seems to say nothing of Cloudflare, nor of a destination; otherwise None.
    """
    if _dlt_may_know_more(environment):
        return None
    try:
        return _resolved(account_ids, None, None, None, None, environment, _nothing, _nothing)
    except ConfigurationError:
        # `resolve_connection` says why, or finds in dlt's configuration what is missing.
        return None


def _resolved(
    account_ids: Sequence[str] | None,
    api_token: str | None,
    email: str | None,
    api_key: str | None,
    base_url: str | None,
    environment: Mapping[str, str],
    setting: _LookUp,
    secret: _LookUp,
) -> Connection:
    return Connection(
        base_url=_checked_base_url(
            str(base_url or environment.get("CLOUDFLARE_BASE_URL") or setting("base_url") or DEFAULT_BASE_URL)
        ),
        credentials=_credentials(api_token, email, api_key, environment, secret),
        account_ids=_account_ids(account_ids, environment, setting),
    )


def _dlt_may_know_more(environment: Mapping[str, str]) -> bool:
    """Whether dlt could find anything in the environment, in a file or in Airflow; in doubt it could."""
    if environment.keys() & {"DLT_PROJECT_DIR", "DLT_CONFIG_FOLDER"} or find_spec("airflow"):
        return True
    # Variables of systems begin with the separator of dlt's.
    given = [(name, value) for name, value in environment.items() if "__" in name.strip("_")]
    folders = [Path(".dlt"), Path("/var/dlt"), Path(tempfile.gettempdir(), "dlt")]
    folders += [Path(environment[name], part) for name, part in _HOMES.items() if name in environment]
    try:
        folders.append(Path.home() / ".dlt")
        for file in chain.from_iterable(folder.glob("*.toml") for folder in folders):
            for section, settings in tomllib.loads(file.read_text("utf-8")).items():
                given += [(f"{section}__{name}", str(value)) for name, value in dict(settings).items()]
    except (OSError, RuntimeError, TypeError, ValueError):
        # Malformed, or with a value where a section belongs, or nobody's home.
        return True
    return not all(
        (pattern := _HARMLESS.get(name.upper())) and pattern.fullmatch(value) for name, value in given
    )


def checked_account_ids(account_ids: Sequence[str]) -> tuple[str, ...]:
    """The ids, each once, in lower case as Cloudflare writes them.

    Raises:
        ConfigurationError: one of them is not an account id.
    """
    for account_id in account_ids:
        if not ACCOUNT_ID.fullmatch(account_id):
            raise ConfigurationError(
                f"{account_id!r} is not an account id: 32 hexadecimal characters, as in the URL of the "
                "account's dashboard."
            )
    return tuple(dict.fromkeys(account_id.lower() for account_id in account_ids))


def _account_ids(
    given: Sequence[str] | None, environment: Mapping[str, str], setting: _LookUp
) -> tuple[str, ...] | None:
    configured: Any = given or environment.get("CLOUDFLARE_ACCOUNT_ID") or setting("account_ids")
    if not configured:
        return None
    if isinstance(configured, str):
        configured = [part.strip() for part in configured.split(",") if part.strip()]
    return checked_account_ids(configured)


def _credentials(
    api_token: str | None,
    email: str | None,
    api_key: str | None,
    environment: Mapping[str, str],
    secret: _LookUp,
) -> Credentials:
    """The first place that holds credentials gives all of them: a pair is never put together from two."""
    given = {"api_token": api_token, "email": email, "api_key": api_key}
    places: tuple[_LookUp, ...] = (
        given.get,
        lambda name: environment.get(f"CLOUDFLARE_{name.upper()}"),
        secret,
    )
    for look_up in places:
        token, mail, key = (look_up(name) for name in given)
        if token:
            return Credentials(api_token=_checked_secret("API token", token))
        if mail and key:
            return Credentials(email=_checked_secret("email", mail), api_key=_checked_secret("API key", key))
    raise ConfigurationError(
        "No Cloudflare credentials. Set CLOUDFLARE_API_TOKEN to an API token with the permission "
        '"OAuth Client Read" (or CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY), or put api_token under '
        f"[{DLT_SECTION}] in .dlt/secrets.toml."
    )


# dlt is imported when it is asked: who finds everything in the environment need not wait for it.


def _dlt_setting(name: str) -> Any:
    import dlt

    with _readable():
        return dlt.config.get(f"{DLT_SECTION}.{name}")


def _dlt_secret(name: str) -> str | None:
    import dlt

    with _readable():
        value = dlt.secrets.get(f"{DLT_SECTION}.{name}", str)
    return str(value) if value else None


@contextmanager
def _readable() -> Iterator[None]:
    from dlt.common.configuration.exceptions import ConfigProviderException

    try:
        yield
    except ConfigProviderException as error:
        raise ConfigurationError(
            f"dlt's configuration cannot be read: {' '.join(str(error).split())}"
        ) from None


def _nothing(_: str) -> None:
    return None


def _checked_secret(what: str, value: str) -> str:
    value = value.strip()
    if not HEADER_VALUE.fullmatch(value):
        # The value itself stays out of the message: most of it may be the real secret.
        raise ConfigurationError(f"The {what} contains a character that no HTTP header can carry.")
    return value


def _checked_base_url(base_url: str) -> str:
    url = base_url.strip().rstrip("/")
    plain = _BASE_URL.fullmatch(url)
    if not plain:
        # Some of it may be a password.
        raise ConfigurationError(
            "The base URL is not usable: it has to be https://, a host, a port or none, and a plain path."
        )
    if plain["scheme"].lower() == "http" and not is_loopback(plain["host"].strip("[]").lower()):
        raise ConfigurationError(
            f"The base URL {url!r} would send the credentials unencrypted: use https "
            "(plain http is for a loopback host only)."
        )
    return url
