"""Looks up the settings that a caller left out, in the environment and in dlt's configuration.

The first place that has a setting wins: the caller, then the environment (`CLOUDFLARE_…`, the names that
Cloudflare's own SDKs use), then dlt's configuration (`[sources.cloudflare_oauth]` in `.dlt/secrets.toml` or
`.dlt/config.toml`, a vault, …).
"""

import os
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .errors import ConfigurationError
from .masking import masked
from .settings import Credentials, SyncSettings

_DLT_SECTION = "sources.cloudflare_oauth"
_QUIET = {"dlthub_telemetry": False, "log_level": "CRITICAL"}
_CREDENTIALS = ("api_token", "email", "api_key")

_AROUND_AN_ID = " \t\r\n\"'"

_LookUp = Callable[[str], Any]


def resolve_settings(settings: SyncSettings, *, environment: Mapping[str, str] = os.environ) -> SyncSettings:
    """The settings, completed from the environment and from dlt's configuration.

    Raises:
        ConfigurationError: no credentials, or a setting that cannot be used.
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
    except (OSError, ValueError):
        # dlt is about to say why.
        return True
    return content not in ({}, {"runtime": _QUIET})


def _resolved(
    settings: SyncSettings, environment: Mapping[str, str], setting: _LookUp, secret: _LookUp
) -> SyncSettings:
    account_ids: Any = settings.account_ids
    if account_ids is None:
        # An empty variable is one that is not set, as elsewhere; whatever else names no account is refused.
        account_ids = environment.get("CLOUDFLARE_ACCOUNT_ID") or setting("account_ids")
    if isinstance(account_ids, str):
        account_ids = _separated(account_ids)
    base_url = settings.base_url or environment.get("CLOUDFLARE_BASE_URL") or setting("base_url")
    resolved = replace(
        settings.with_credentials(_credentials(settings, environment, secret)),
        account_ids=account_ids,
        base_url=str(base_url) if base_url else None,
    )
    # Raises if there are no credentials.
    return replace(resolved, base_url=resolved.connection.base_url)


def _separated(account_ids: str) -> tuple[str, ...]:
    """The ids in a text, without the quotes that some tools leave around a variable's value."""
    parts = (part.strip(_AROUND_AN_ID) for part in account_ids.split(","))
    return tuple(part for part in parts if part)


def _credentials(settings: SyncSettings, environment: Mapping[str, str], secret: _LookUp) -> Credentials:
    """Credentials from the first place that has any: a pair is never put together from two places."""
    places: tuple[_LookUp, ...] = (
        lambda name: getattr(settings, name),
        lambda name: environment.get(f"CLOUDFLARE_{name.upper()}"),
        secret,
    )
    for look_up in places:
        api_token, email, api_key = (look_up(name) for name in _CREDENTIALS)
        if api_token:
            return Credentials(api_token=api_token)
        if email and api_key:
            return Credentials(email=email, api_key=api_key)
    return Credentials()


def _dlt_setting(name: str) -> Any:
    # Not at the top: a reader process never needs dlt, whose import takes half a second.
    import dlt

    with _readable():
        return dlt.config.get(f"{_DLT_SECTION}.{name}")


def _dlt_secret(name: str) -> str | None:
    # Not at the top: as above.
    import dlt

    with _readable():
        value = dlt.secrets.get(f"{_DLT_SECTION}.{name}", str)
    return str(value) if value else None


@contextmanager
def _readable() -> Iterator[None]:
    # Not at the top: as above.
    from dlt.common.configuration.exceptions import ConfigProviderException

    try:
        yield
    except ConfigProviderException as error:
        raise ConfigurationError(
            f"dlt's configuration cannot be read: {' '.join(masked(str(error)).split())}"
        ) from None


def _nothing(_: str) -> None:
    return None
