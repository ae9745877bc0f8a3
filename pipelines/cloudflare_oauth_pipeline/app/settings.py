"""The dataset that the notebooks read: arguments first, then the environment, then the defaults of `sync`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..analysis.waivers import Waiver, load_waivers
from ..destinations.target import DEFAULT_DATASET, DEFAULT_PIPELINE_NAME, Target

# The path under which each notebook is served, and its title in the menu.
PAGES = {
    "inventory": "Inventory",
    "security_review": "Security review",
    "changes": "Changes",
    "health": "Health",
}
# Set by `explore`, which serves all pages: only then do the links of the menu lead anywhere.
MENU_VARIABLE = "CLOUDFLARE_OAUTH_MENU"
# `explore` sets these for the notebooks; each is also an argument: `marimo edit … -- --db clients.duckdb`.
VARIABLES = {
    "destination": "CLOUDFLARE_OAUTH_DESTINATION",
    "db": "CLOUDFLARE_OAUTH_DB",
    "dataset": "CLOUDFLARE_OAUTH_DATASET",
    "pipeline-name": "CLOUDFLARE_OAUTH_PIPELINE_NAME",
    "waivers": "CLOUDFLARE_OAUTH_WAIVERS",
}


def target_from(arguments: Mapping[str, Any] | None = None) -> Target:
    """The dataset that the notebooks read.

    Raises:
        ConfigurationError: a setting is invalid.
    """
    db = _setting("db", arguments)
    return Target(
        destination=_setting("destination", arguments) or "duckdb",
        db=Path(db) if db else None,
        dataset=_setting("dataset", arguments) or DEFAULT_DATASET,
        pipeline_name=_setting("pipeline-name", arguments) or DEFAULT_PIPELINE_NAME,
    )


def waivers_from(arguments: Mapping[str, Any] | None = None) -> list[Waiver]:
    """The waivers that the notebooks apply.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    file = _setting("waivers", arguments)
    return load_waivers(Path(file) if file else None)


def environment_of(target: Target, waivers: Path | None) -> dict[str, str]:
    """The environment variables that make the notebooks read this dataset; an empty string is the default."""
    values = {
        "destination": target.destination,
        "db": str(target.db or ""),
        "dataset": target.dataset,
        "pipeline-name": target.pipeline_name,
        "waivers": str(waivers or ""),
    }
    return {VARIABLES[name]: value for name, value in values.items()}


def _setting(name: str, arguments: Mapping[str, Any] | None) -> str | None:
    value = (arguments or {}).get(name) or os.environ.get(VARIABLES[name])
    return str(value) if value else None
