"""Masks secrets in text that comes from outside, before any of it is cut, escaped, logged or shown."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote

MASK = "***"
# So many characters in a row of a secret, or of an encoded form of it, are masked wherever they stand.
SHORTEST_RUN = 8
# More is never shown; the rest of a longer text is not searched.
LONGEST_TEXT = 20_000

# Of the same length, unlike `str.lower`.
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
# What may continue a token, or an encoded form of it, beyond the run that gave it away.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=%-]*")
# Every repetition is bounded, so that no text takes long.
_NAME = r"(?:passw|pwd|secret|token|api_?key|credential|sslkey)[\w.-]{0,40}"
_VALUE = r"""(?:"[^"]*"?|'[^']*'?|[^\s,;&"']+)"""
# Secrets that are told by what stands before them.
_TOLD = (
    # In an Authorization header.
    (re.compile(r"\b(bearer\s+)[^\s\"',;]{8,}", re.IGNORECASE), rf"\1{MASK}"),
    # The password in a URL, which may contain `@` and `/`.
    (re.compile(r"(://[^\s:/@]{0,300}:)\S{1,300}(?=@)"), rf"\1{MASK}"),
    # `password=…`, `"token": "…"`
    (re.compile(rf"({_NAME}[\"']?\s*=\s*){_VALUE}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(rf"({_NAME}[\"']\s*:\s*){_VALUE}", re.IGNORECASE), rf"\1{MASK}"),
)


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """A text of at most `LONGEST_TEXT` characters without secrets, nor longer parts or encoded forms of them.

    Args:
        secrets: the values to mask. What a header, a URL or a setting says to be a secret is masked, too.
    """
    text = text[:LONGEST_TEXT]
    for secret in secrets:
        text = _without(text, secret)
    for pattern, replacement in _TOLD:
        text = pattern.sub(replacement, text)
    return text


def _without(text: str, secret: str) -> str:
    size = min(SHORTEST_RUN, len(secret))
    if not size:
        return text
    parts = _parts(secret, size)
    lower = text.translate(_LOWER)
    kept, end, position = [], 0, 0
    while position <= len(lower) - size:
        if lower[position : position + size] not in parts:
            position += 1
            continue
        begin, stop = position, position + size
        while stop < len(lower) and lower[stop - size + 1 : stop + 1] in parts:
            stop += 1
        if size == SHORTEST_RUN:
            begin, stop = _widened(text, begin, stop, end)
        kept.append(text[end:begin])
        position = end = stop
    kept.append(text[end:])
    return MASK.join(kept)


def _widened(text: str, begin: int, stop: int, least: int) -> tuple[int, int]:
    """The span with the rest of the token around it."""
    while begin > least and _TOKEN.fullmatch(text[begin - 1]):
        begin -= 1
    rest = _TOKEN.match(text, stop)
    return begin, rest.end() if rest else stop


@lru_cache(maxsize=8)
def _parts(secret: str, size: int) -> frozenset[str]:
    """Everything of this size that occurs in a form of the secret, in lower case."""
    if size < SHORTEST_RUN:
        # A form's parts of this size would be parts of many words.
        return frozenset({secret.translate(_LOWER)})
    return frozenset(
        form[start : start + size]
        for form in (one.translate(_LOWER) for one in _forms(secret))
        for start in range(len(form) - size + 1)
    )


def _forms(secret: str) -> Iterator[str]:
    """The secret as it is, and as it looks in URLs, JSON, HTML, hexadecimal and Base64."""
    yield secret
    yield quote(secret, safe="")
    yield json.dumps(secret)[1:-1]
    yield html.escape(secret)
    yield secret.encode().hex()
    # What stands before it, such as an e-mail address, shifts the letters of Base64.
    for shift, mixed in enumerate((0, 2, 3)):
        encoded = base64.b64encode(bytes(shift) + secret.encode()).decode().rstrip("=")[mixed:-1]
        yield encoded
        yield encoded.translate(str.maketrans("+/", "-_"))
