"""The errors of the project, all of them.

    CloudflareOAuthError
    ├── ConfigurationError          correct an option or a setting; nothing was requested or written
    ├── CloudflareError             Cloudflare, or something on the way to it, gave no usable answer
    │   ├── AuthenticationError     correct the credentials (401)
    │   ├── ForbiddenError          grant the permission (403)
    │   ├── NotFoundError           correct the account id (404)
    │   └── RequestFailedError      wait, or report it: no usable answer after the last attempt
    ├── DestinationError            the destination cannot be opened, read or written
    │   └── BusyError               another process is writing to the same dataset
    ├── PartialSyncError            an account could not be read, and the caller wants all or nothing
    └── InterruptedSyncError        Ctrl-C, or the process was told to end

Catch `CloudflareOAuthError` to catch them all. A message says what happened, where, and what to do; none
contains a credential.
"""

import signal
from typing import Self


class CloudflareOAuthError(Exception):
    """Base of every error of this project."""


class ConfigurationError(CloudflareOAuthError):
    """An option or a setting is missing or cannot be used; nothing was requested or written."""


class CloudflareError(CloudflareOAuthError):
    """A request did not give a usable answer.

    `http_status` is the status of the last response (None if there was none), `code` Cloudflare's own
    error code from the envelope (None without an envelope).
    """

    def __init__(self, message: str, *, http_status: int | None = None, code: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code


class AuthenticationError(CloudflareError):
    """Cloudflare does not accept the credentials (401)."""


class ForbiddenError(CloudflareError):
    """Cloudflare accepts the credentials, but they may not do this (403)."""


class NotFoundError(CloudflareError):
    """There is no such account for these credentials (404)."""


class RequestFailedError(CloudflareError):
    """No usable answer arrived, after the last attempt."""


class DestinationError(CloudflareOAuthError):
    """The destination refused to be opened, read or written."""


class BusyError(DestinationError):
    """Another process is writing to the same dataset."""


class PartialSyncError(CloudflareOAuthError):
    """Something could not be read completely, and the caller has asked for an error then."""


class InterruptedSyncError(CloudflareOAuthError):
    """Ctrl-C was pressed, or the process was told to end; `signal_code` is the number of the signal."""

    def __init__(self, message: str, *, signal_code: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.signal_code = signal_code

    @classmethod
    def by(cls, interrupt: KeyboardInterrupt, told: str) -> Self:
        """The error for Ctrl-C, or for the signal that has raised a `KeyboardInterrupt`."""
        # dlt's exception has this attribute, too.
        code = getattr(interrupt, "signal_code", signal.SIGINT)
        how = "interrupted" if code == signal.SIGINT else f"ended by {signal.Signals(code).name}"
        return cls(f"{how}: {told}", signal_code=code)
