"""dlt's settings while this package uses it: a quiet log, no telemetry, no leftovers of a merge, no trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import DictionaryProvider, EnvironProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.configuration.utils import get_resolved_traces

from cloudflare_oauth import reading_configuration

_DEFAULTS: dict[str, Any] = {
    "runtime": {
        "dlthub_telemetry": False,
        # dlt would log tracebacks of errors that this package explains in a sentence.
        "log_level": "CRITICAL",
    },
    # Rows that were staged for a merge would stay, and double the size of the database.
    "load": {"truncate_staging_dataset": True},
    # dlt would keep, in its working folder, every setting that it looked up, the destination's included.
    "enable_runtime_trace": False,
}


class _Defaults(DictionaryProvider):
    NAME = "cloudflare_oauth_pipeline"


class _SectionedEnvironment(EnvironProvider):
    """The environment without bare names, such as `DEV_MODE` or `WORKERS`, which are other programs', too."""

    def get_value(
        self, key: str, hint: type[Any], pipeline_name: str | None, *sections: str
    ) -> tuple[Any | None, str]:
        if not any((pipeline_name, *sections)):
            return None, key
        return super().get_value(key, hint, pipeline_name, *sections)  # type: ignore[arg-type]  # as dlt does


@contextmanager
def quiet_dlt() -> Iterator[None]:
    """Apply these defaults until the context ends; the user's own configuration of dlt goes first.

    Of the environment, dlt sees only the names that are plainly meant for it: those with a section.

    Raises:
        ConfigurationError: it cannot be read.
    """
    with reading_configuration():
        context = Container()[PluggableRunContext]
        providers = context.providers.providers
    defaults = _Defaults()
    if any(isinstance(provider, _Defaults) for provider in providers):
        # An outer context has applied them.
        yield
        return
    with defaults.values(_DEFAULTS):
        before = list(providers)
        providers[:] = [
            _SectionedEnvironment() if type(one) is EnvironProvider else one for one in providers
        ] + [defaults]
        # It has every value that was ever looked up, and the errors of those that are missing, with the
        # frames of all callers and the rows in them.
        log = get_resolved_traces()
        was_enabled, log.logging_enabled = log.logging_enabled, False
        try:
            with reading_configuration():
                context.context.initialize_runtime()
            yield
        finally:
            log.logging_enabled = was_enabled
            providers[:] = before
            with reading_configuration():
                context.context.initialize_runtime()
