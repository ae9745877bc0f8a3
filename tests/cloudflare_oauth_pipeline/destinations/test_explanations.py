"""A destination's error becomes a sentence, without the secrets that it repeats."""

import traceback

import pytest
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.exceptions import MissingDependencyException
from dlt.destinations.exceptions import DatabaseTerminalException

from cloudflare_oauth import CloudflareOAuthError
from cloudflare_oauth_pipeline.destinations.explanations import LONGEST_REASON, explained
from cloudflare_oauth_pipeline.destinations.target import Target

SECRET = "s3cr3t-p@ss/w0rd"
REPEATED = [
    f"cannot connect to postgresql://user:{SECRET}@host:5432/db",
    f"invalid dsn: host=h password='{SECRET}' port=5432",
    f"md:db?motherduck_token={SECRET} is not accepted",
    f'{{"client_secret": "{SECRET}"}} is not accepted',
    f"{'x' * (LONGEST_REASON - 30)} postgresql://user:{SECRET}@host",
]


@pytest.mark.parametrize("text", REPEATED)
@pytest.mark.parametrize(
    "wrapped",
    [
        lambda text: DatabaseTerminalException(Exception(text)),
        lambda text: ConfigurationException(text),
        lambda text: MissingDependencyException(text, ["package"]),
        lambda text: OSError(text),
    ],
    ids=["database", "configuration", "package", "system"],
)
def test_a_destinations_secret_is_in_no_message_and_no_traceback(wrapped: type, text: str) -> None:
    """Not in the sentence, however it is cut, and not in the errors that a traceback shows as its causes."""
    with pytest.raises(CloudflareOAuthError) as raised, explained(Target(destination="postgres")):
        raise wrapped(text)

    shown = str(raised.value) + "".join(traceback.format_exception_only(raised.value))
    shown += "".join(map(str, _shown_causes(raised.value)))
    assert SECRET[:8] not in shown
    assert SECRET[-8:] not in shown


def _shown_causes(error: BaseException) -> list[BaseException]:
    """The errors that a traceback shows above this one."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return [cause, *_shown_causes(cause)] if cause else []


def test_a_cause_without_secrets_stays_in_the_traceback() -> None:
    """It says where the destination failed."""
    with pytest.raises(CloudflareOAuthError) as raised, explained(Target(destination="postgres")):
        raise OSError("disk full")

    assert [str(cause) for cause in _shown_causes(raised.value)] == ["disk full"]
