"""Secrets are masked in text from outside, whole, in part and encoded, before it is cut."""

import base64
import html
import json
import time
from urllib.parse import quote

import pytest

from cloudflare_oauth import masked
from cloudflare_oauth.masking import LONGEST_TEXT, SHORTEST_RUN

TOKEN = "aB3dEf\"h1jKlMnO'QrStU<WxYz_-01+/"


def runs(text: str) -> list[str]:
    """Every part of the token, long enough to be masked, that a text shows."""
    parts = {TOKEN[start : start + SHORTEST_RUN] for start in range(len(TOKEN) - SHORTEST_RUN + 1)}
    return sorted(part for part in parts if part.lower() in text.lower())


@pytest.mark.parametrize("shift", range(6))
@pytest.mark.parametrize(
    "form",
    [
        TOKEN,
        TOKEN.lower(),
        TOKEN[:SHORTEST_RUN],
        TOKEN[-SHORTEST_RUN:],
        TOKEN[5:20],
        TOKEN * 3,
        quote(TOKEN, safe=""),
        quote(TOKEN, safe="").lower(),
        json.dumps(TOKEN),
        html.escape(TOKEN),
        TOKEN.encode().hex(),
    ],
)
def test_a_secret_is_masked_in_every_form(form: str, shift: int) -> None:
    """Whole, its beginning, its end and its middle, and as URLs, JSON, HTML and hexadecimal write it."""
    text = masked(f"before {'x' * shift}{form}; after", [TOKEN])

    assert text.startswith("before ")
    assert text.endswith("; after")
    assert "***" in text
    assert runs(text) == []
    assert form.strip('"')[:SHORTEST_RUN] not in text
    assert form.strip('"')[-SHORTEST_RUN:] not in text


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("email", ["", "a", "ab", "abc", "me@example.com"])
def test_a_secret_is_masked_in_base64(encode: type, email: str) -> None:
    """Also behind an e-mail address, as in HTTP's basic authentication: both go."""
    encoded = encode(f"{email}:{TOKEN}".encode()).decode()  # type: ignore[attr-defined]

    assert masked(f"Basic {encoded}, refused", [TOKEN]) == "Basic ***, refused"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def-ghi_jkl", "Authorization: Bearer ***"),
        ("postgresql://user:p@ss/w0rd@host:5432/db failed", "postgresql://user:***@host:5432/db failed"),
        ("invalid dsn: host=h password='two words' port=1", "invalid dsn: host=h password=*** port=1"),
        ("md:db?motherduck_token=abcdef&x=1", "md:db?motherduck_token=***&x=1"),
        ('{"client_secret": "abc def", "id": 1}', '{"client_secret": ***, "id": 1}'),
        ("AWS_SECRET_ACCESS_KEY=abc", "AWS_SECRET_ACCESS_KEY=***"),
    ],
)
def test_what_the_text_itself_calls_a_secret_is_masked(text: str, shown: str) -> None:
    """A header, the password of a URL, a setting: whatever their values are."""
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    ["", "the token has expired", "see https://example.com/a:b", "Bearer is no basic", "a@b.c: d", "***"],
)
def test_everything_else_is_kept(text: str) -> None:
    """A text that only speaks of secrets stays as it is."""
    assert masked(text, [TOKEN, "short"]) == text


def test_a_short_secret_is_masked_where_it_stands_whole() -> None:
    """Parts of it would be parts of many words."""
    assert masked("a short key, sho", ["short"]) == "a *** key, sho"
    assert masked("pen and ink", ["en", "k"]) == "p*** and in***"


@pytest.mark.parametrize(
    "text",
    ["token", "://:", "bearer ", "a.", "token=", 'token="', "://a:b@", " ", "token ", TOKEN[:7], TOKEN, "'"],
)
def test_no_text_takes_long(text: str) -> None:
    """Texts come from outside; none of them makes an expression run for ever."""
    started = time.perf_counter()

    assert len(masked(text * LONGEST_TEXT, [TOKEN, "short"])) <= 2 * LONGEST_TEXT

    assert time.perf_counter() - started < 5
