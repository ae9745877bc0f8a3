"""dlt's settings while this package uses it: no telemetry, a quiet log, no leftovers of a merge."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import DictionaryProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

_DEFAULTS: dict[str, Any] = {
    "runtime": {
        "dlthub_telemetry": False,
        # dlt would log tracebacks of errors that this package explains in a sentence.
        "log_level": "CRITICAL",
    },
    # Rows that were staged for a merge would stay, and double the size of the database.
    "load": {"truncate_staging_dataset": True},
}


class _Defaults(DictionaryProvider):
    NAME = "cloudflare_oauth_pipeline"


@contextmanager
def quiet_dlt() -> Iterator[None]:
    """Apply these defaults until the context ends; the user's own configuration of dlt goes first."""
    context = Container()[PluggableRunContext]
    providers = context.providers.providers
    defaults = _Defaults()
    if any(isinstance(provider, _Defaults) for provider in providers):
        # An outer context has applied them.
        yield
        return
    with defaults.values(_DEFAULTS):
        providers.append(defaults)
        context.context.initialize_runtime()
        try:
            yield
        finally:
            providers.remove(defaults)
            context.context.initialize_runtime()
