"""Turns the errors of dlt and of the destinations into one sentence that says what to do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dlt.common.configuration.exceptions import (
    ConfigProviderException,
    ConfigValueCannotBeCoercedException,
    InvalidNativeValue,
    ValueNotSecretException,
)
from dlt.common.configuration.exceptions import ConfigurationException as DltConfigurationException
from dlt.common.configuration.specs.exceptions import InvalidConnectionString
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.exceptions import DltException, MissingDependencyException
from dlt.common.normalizers.naming.exceptions import UnknownNamingModule

from cloudflare_oauth import (
    CloudflareOAuthError,
    ConfigurationError,
    DestinationError,
    masked,
    unreadable_configuration,
)

from ..shortages import all_causes, shortage_of
from .target import Target

LONGEST_REASON = 500

# What they raise has no base class in common with other errors, and they are optional.
_LIBRARIES_OF_BUCKETS = ("botocore", "deltalake")

Explain = Callable[[BaseException], CloudflareOAuthError | None]


@contextmanager
def explained(target: Target, explain: Explain = lambda _: None) -> Iterator[None]:
    """Raise an error of this project instead of one of dlt or of the destination.

    What dlt wrapped around an error of the source, or around Ctrl-C, is removed.

    Args:
        explain: explains errors that only the adapter of the destination understands.

    Raises:
        ConfigurationError: the destination is unknown, not configured, or lacks a package.
        DestinationError: it refused anything else.
    """
    try:
        yield
    except Exception as error:
        if not _is_foreseen(error):
            raise
        for cause in all_causes(error):
            # Raised by the source while dlt was extracting, or by a part of this package that dlt calls.
            if isinstance(cause, CloudflareOAuthError | KeyboardInterrupt):
                raise cause from None
        explanation = _explanation(target, error, explain)
        # A traceback shows the causes, too.
        shows_secret = any(masked(str(cause)) != str(cause) for cause in causes(error))
        raise explanation from (None if shows_secret else error)


def _is_foreseen(error: Exception) -> bool:
    if isinstance(error, DltException | OSError | ModuleNotFoundError):
        return True
    return any(base.__module__.partition(".")[0] in _LIBRARIES_OF_BUCKETS for base in type(error).__mro__)


def _explanation(target: Target, error: BaseException, explain: Explain) -> CloudflareOAuthError:
    chain = list(causes(error))
    name = target.destination
    if shortage := shortage_of(error):
        # First: behind it, a library may say that the credentials are wrong.
        return DestinationError(f"{target}: {shortage}")
    for cause in chain:
        match cause:
            case UnknownDestinationModule():
                return ConfigurationError(f"--destination {name!r} is not a destination dlt knows.")
            case ConfigProviderException() | ValueNotSecretException():
                return unreadable_configuration(cause)
            case InvalidNativeValue(inner_exception=InvalidConnectionString()):
                scheme = getattr(cause.spec, "drivername", name)
                return ConfigurationError(
                    f"the address of the destination {name} cannot be read: it has to be like "
                    f"{scheme}://user:password@host:port/database, with characters such as '#', '/' and '@' "
                    f"percent-encoded (DESTINATION__{name.upper()}__CREDENTIALS, or "
                    f"[destination.{name}.credentials] in .dlt/secrets.toml)"
                )
            case UnknownNamingModule() | ConfigValueCannotBeCoercedException():
                return unreadable_configuration(cause)
            case DltConfigurationException():
                return ConfigurationError(
                    f"the destination {name} is not configured: put its settings under "
                    f"[destination.{name}] in .dlt/secrets.toml ({_first_line(cause)})"
                )
            case MissingDependencyException() | ModuleNotFoundError():
                return ConfigurationError(
                    f"the destination {name} needs more packages: "
                    f"pip install 'dlt[{name}]' ({_first_line(cause)})"
                )
    for cause in chain:
        if explanation := explain(cause):
            return explanation
    return DestinationError(f"{target}: {_first_line(chain[-1])}")


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, the first cause last."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in masked(str(error)).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:LONGEST_REASON]
