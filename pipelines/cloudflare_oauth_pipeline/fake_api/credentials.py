"""Cloudflare's responses to credentials that it does not accept."""

from collections.abc import Collection, Mapping

from .envelope import Response, error_response


def credentials_error(
    headers: Mapping[str, str], tokens: Collection[str], keys: Mapping[str, str]
) -> Response | None:
    """The 4xx for the credentials in these headers; `None` if they are accepted."""
    if "authorization" in headers:
        scheme, _, token = headers["authorization"].partition(" ")
        if scheme.lower() != "bearer" or not token or token != token.strip():
            return error_response(400, 6003, "Invalid request headers")
        return None if token in tokens else error_response(401, 10000, "Authentication error")
    if "x-auth-email" in headers and "x-auth-key" in headers:
        if keys.get(headers["x-auth-email"]) == headers["x-auth-key"]:
            return None
        return error_response(403, 9103, "Unknown X-Auth-Key or X-Auth-Email")
    return error_response(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
