"""What can go wrong between Cloudflare and the dataset.

    CloudflareOAuthError
    ├── ConfigurationError          mend the settings; nothing was requested
    └── CloudflareError             Cloudflare, or something on the way to it, answered badly
        ├── AuthenticationError     mend the credentials (401)
        ├── ForbiddenError          mend the permissions (403)
        ├── NotFoundError           mend the account id (404)
        └── RequestFailedError      wait, or report: no usable answer after the last attempt

Catch `CloudflareOAuthError` to catch them all. No message contains a credential.
"""


class CloudflareOAuthError(Exception):
    """Base of every error of this package."""


class ConfigurationError(CloudflareOAuthError):
    """A setting is missing or wrong; nothing was requested."""


class CloudflareError(CloudflareOAuthError):
    """A request did not give a usable answer.

    `http_status` is the last answer's (None if there was none), `code` Cloudflare's own error
    code from the envelope (None if there was no such envelope).
    """

    def __init__(self, message: str, *, http_status: int | None = None, code: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code


class AuthenticationError(CloudflareError):
    """The credentials are not accepted (401)."""


class ForbiddenError(CloudflareError):
    """The credentials are accepted but may not do this (403)."""


class NotFoundError(CloudflareError):
    """There is no such account for these credentials (404)."""


class RequestFailedError(CloudflareError):
    """No usable answer, after the last attempt."""
