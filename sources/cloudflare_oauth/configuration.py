"""Looks up the settings that a caller left out, in the environment and in dlt's configuration.

The first place that has a setting wins: the caller, then the environment (`CLOUDFLARE_…`, the names that
Cloudflare's own SDKs use), then dlt's configuration (`[sources.cloudflare_oauth]` in `.dlt/secrets.toml` or
`.dlt/config.toml`, a vault, …).
"""

import os
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum, auto
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ConfigurationError
from .masking import masked
from .settings import DEFAULT_BASE_URL, Credentials, SyncSettings

if TYPE_CHECKING:
    from dlt.common.configuration.providers.provider import ConfigProvider

_DLT_SECTION = "sources.cloudflare_oauth"
_QUIET = {"dlthub_telemetry": False, "log_level": "CRITICAL"}
_CREDENTIALS = ("api_token", "email", "api_key")

# What says how to reach Cloudflare; certificates are of no use to plain HTTP.
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
_CERTIFICATES = {"SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"}
# What the parser says of a byte order mark, which is not seen.
_BEGINS_WITH_A_MARK = "Empty key at line 1 col 0"
_AROUND_AN_ID = " \t\r\n\"'"


class Place(Enum):
    """Where a setting was found."""

    CALLER = auto()
    ENVIRONMENT = auto()
    # A file of dlt's: in the current folder, the home, or dlt's own folder.
    FILE = auto()
    # A vault, Airflow, or a provider of the user's own.
    ELSEWHERE = auto()


# The value of a setting and where it was found; None if it is not set there.
_LookUp = Callable[[str], "tuple[Any, Place] | None"]


def resolve_settings(settings: SyncSettings, *, environment: Mapping[str, str] = os.environ) -> SyncSettings:
    """The settings, completed from the environment and from dlt's configuration.

    Raises:
        ConfigurationError: no credentials, a setting that cannot be used, or a file that would send the
            credentials of the caller or the environment to another host.
    """
    return _resolved(settings, environment, _dlt_setting, _dlt_secret)


def resolve_settings_without_dlt(
    settings: SyncSettings, *, environment: Mapping[str, str] = os.environ
) -> SyncSettings | None:
    """What `resolve_settings` is going to return, found without importing dlt, which takes half a second.

    None where dlt might have something to add, or where the settings are incomplete or unusable without it.
    """
    if _dlt_is_configured(environment):
        return None
    try:
        return _resolved(settings, environment, _nothing, _nothing)
    except ConfigurationError:
        # `resolve_settings` is about to say why.
        return None


def _dlt_is_configured(environment: Mapping[str, str]) -> bool:
    """Whether dlt may find a setting in a variable, in a file or in Airflow; in doubt it may."""
    # dlt's variables are sections and names, joined by two underscores.
    if any("__" in name.strip("_") for name in environment) or find_spec("airflow"):
        return True
    if environment.keys() & {"DLT_PROJECT_DIR", "DLT_CONFIG_FOLDER"}:
        return True
    folders = [Path(".dlt"), Path("/var/dlt"), Path(tempfile.gettempdir(), "dlt")]
    folders += [Path(environment[name]) for name in ("DLT_DATA_DIR",) if name in environment]
    folders += [Path(environment[name], "dlt") for name in ("XDG_DATA_HOME",) if name in environment]
    folders += [Path(environment[name], ".dlt") for name in ("HOME", "USERPROFILE") if name in environment]
    return any(_may_configure(file) for folder in folders for file in folder.glob("*.toml"))


def _may_configure(file: Path) -> bool:
    """Whether a file says more than that dlt is to be quiet, as this project's own does."""
    try:
        content = tomllib.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        # dlt is about to say why.
        return True
    return content not in ({}, {"runtime": _QUIET})


def _resolved(
    settings: SyncSettings, environment: Mapping[str, str], setting: _LookUp, secret: _LookUp
) -> SyncSettings:
    account_ids: Any = settings.account_ids
    if account_ids is None:
        # An empty variable counts as not set. A value without an account id, such as ",", is refused.
        account_ids = environment.get("CLOUDFLARE_ACCOUNT_ID") or _value(setting("account_ids"))
    if isinstance(account_ids, str):
        account_ids = _separated(account_ids)
    given_url = settings.base_url or environment.get("CLOUDFLARE_BASE_URL")
    configured_url = None if given_url else setting("base_url")
    base_url = given_url or _value(configured_url)
    credentials, place = _credentials(settings, environment, secret)
    resolved = replace(
        settings.with_credentials(credentials),
        account_ids=account_ids,
        base_url=str(base_url) if base_url else None,
    )
    if configured_url is not None:
        _check_host(resolved.base_url, configured_url[1], place)
    # Raises if there are no credentials.
    resolved = replace(resolved, base_url=resolved.connection.base_url)
    may_matter = _PROXIES | (_CERTIFICATES if resolved.connection.base_url.startswith("https") else set())
    if may_matter & {name.upper() for name, value in environment.items() if value}:
        # Not at the top: importing httpx takes long, and few set such a variable.
        from .api.network import check_network

        check_network(resolved.connection.base_url)
    return resolved


def _separated(account_ids: str) -> tuple[str, ...]:
    """The ids in a text, without the quotes that some tools leave around a variable's value."""
    parts = (part.strip(_AROUND_AN_ID) for part in account_ids.split(","))
    return tuple(part for part in parts if part)


def _check_host(base_url: str | None, place: Place, place_of_credentials: Place | None) -> None:
    """Refuse to send credentials to a host that only a file names, if they are from outside of such files.

    A file may be anyone's: dlt reads the one in the current folder.
    """
    is_elsewhere = base_url not in (None, DEFAULT_BASE_URL)
    if is_elsewhere and place is Place.FILE and place_of_credentials in (Place.CALLER, Place.ENVIRONMENT):
        source = "an argument" if place_of_credentials is Place.CALLER else "the environment"
        raise ConfigurationError(
            f"base_url is {base_url} by a file of dlt's configuration (config.toml or secrets.toml, in .dlt "
            f"here or at home), but the credentials are from {source}, and are not sent where only a file "
            "says: if the address is right, set CLOUDFLARE_BASE_URL to it; otherwise remove it from the file."
        )


def _value(found: tuple[Any, Place] | None) -> Any:
    return found[0] if found else None


def _credentials(
    settings: SyncSettings, environment: Mapping[str, str], secret: _LookUp
) -> tuple[Credentials, Place | None]:
    """Credentials from the first place that has any: a pair is never put together from two places.

    Of dlt's configuration, the place is the one of an email and a key that is trusted most.
    """

    def given(name: str) -> tuple[Any, Place]:
        return getattr(settings, name), Place.CALLER

    def in_environment(name: str) -> tuple[Any, Place]:
        return environment.get(f"CLOUDFLARE_{name.upper()}"), Place.ENVIRONMENT

    for look_up in (given, in_environment, secret):
        found = {name: look_up(name) for name in _CREDENTIALS}
        api_token, email, api_key = (_value(found[name]) for name in _CREDENTIALS)
        if api_token:
            return Credentials(api_token=str(api_token)), _place(found["api_token"])
        if email and api_key:
            places = {_place(found["email"]), _place(found["api_key"])}
            place = Place.ENVIRONMENT if Place.ENVIRONMENT in places else _place(found["api_key"])
            return Credentials(email=str(email), api_key=str(api_key)), place
    return Credentials(), None


def _place(found: tuple[Any, Place] | None) -> Place | None:
    return found[1] if found else None


def _dlt_setting(name: str) -> tuple[Any, Place] | None:
    # Not at the top: a reader process never needs dlt, whose import takes half a second.
    import dlt

    return _in_providers(name, lambda: dlt.config.config_providers, object)


def _dlt_secret(name: str) -> tuple[Any, Place] | None:
    # Not at the top: as above.
    import dlt
    from dlt.common.typing import TSecretStrValue

    return _in_providers(name, lambda: dlt.secrets.config_providers, TSecretStrValue)


def _in_providers(
    name: str, providers: "Callable[[], Sequence[ConfigProvider]]", hint: Any
) -> tuple[Any, Place] | None:
    """A setting in the first of dlt's providers that has it.

    Not by `dlt.secrets.get`, which records what it finds for the pipeline's trace, in clear text.
    """
    # Not at the top: as above.
    from dlt.common.configuration.providers import EnvironProvider
    from dlt.common.configuration.providers.toml import SettingsTomlProvider

    with reading_configuration():
        # dlt reads its files when this is first asked for.
        for provider in providers():
            if provider.is_empty:
                continue
            value, _ = provider.get_value(name, hint, None, *_DLT_SECTION.split("."))
            if value is None:
                continue
            if isinstance(provider, EnvironProvider):
                return value, Place.ENVIRONMENT
            is_file = isinstance(provider, SettingsTomlProvider)
            return value, Place.FILE if is_file else Place.ELSEWHERE
    return None


@contextmanager
def reading_configuration() -> Iterator[None]:
    """Tell what dlt says of its configuration in a sentence, for what only reads it.

    Raises:
        ConfigurationError: it cannot be read, or dlt does not accept it.
    """
    # Not at the top: as above.
    from dlt.common.configuration.exceptions import ConfigProviderException, ValueNotSecretException

    try:
        yield
    except (ConfigProviderException, ValueNotSecretException, TypeError, ValueError, RecursionError) as error:
        raise unreadable_configuration(error) from None


def unreadable_configuration(error: Exception) -> ConfigurationError:
    """The error for a file of dlt's configuration that dlt cannot read, or does not accept."""
    told = " ".join(masked(str(error)).split())
    if "cannot hold secret values" in told:
        told += " (move the key to secrets.toml)"
    if _BEGINS_WITH_A_MARK in told:
        told += " (the file begins with a byte order mark: save it as UTF-8 without one)"
    if told.startswith("Unknown level"):
        told += " (log_level under [runtime], or RUNTIME__LOG_LEVEL: DEBUG, INFO, WARNING, ERROR or CRITICAL)"
    return ConfigurationError(f"dlt's configuration cannot be read: {told}")


def _nothing(_: str) -> None:
    return None
