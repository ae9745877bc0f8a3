"""What the bundled API says to credentials it does not accept."""

from collections.abc import Collection, Mapping

from .envelope import Reply, refused


def refusal(headers: Mapping[str, str], tokens: Collection[str], keys: Mapping[str, str]) -> Reply | None:
    """The 4xx these credentials get; `None` if they are accepted."""
    if "authorization" in headers:
        scheme, _, token = headers["authorization"].partition(" ")
        if scheme.lower() != "bearer" or not token or token != token.strip():
            return refused(400, 6003, "Invalid request headers")
        return None if token in tokens else refused(401, 10000, "Authentication error")
    if "x-auth-email" in headers and "x-auth-key" in headers:
        if keys.get(headers["x-auth-email"]) == headers["x-auth-key"]:
            return None
        return refused(403, 9103, "Unknown X-Auth-Key or X-Auth-Email")
    return refused(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
