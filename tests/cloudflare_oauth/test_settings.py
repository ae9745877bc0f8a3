"""The settings of a sync: checked, normalised, frozen, and written without credentials."""

import json
from dataclasses import FrozenInstanceError, asdict, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudflare_oauth import Limits, SyncSettings
from cloudflare_oauth.errors import ConfigurationError
from cloudflare_oauth.settings import (
    DEFAULT_BASE_URL,
    Connection,
    Credentials,
    checked_account_ids,
    is_loopback,
)

A, B = "a" * 32, "b" * 32
CREDENTIALS = ("api_token", "email", "api_key")

hexadecimal = st.text("0123456789abcdef", min_size=31, max_size=31)
# Named and excluded ones differ, so that there is always an account left.
named_ids = st.lists(hexadecimal.map(lambda text: f"A{text}"), min_size=1, max_size=3).map(tuple)
excluded_ids = st.lists(hexadecimal.map(lambda text: f"B{text}"), max_size=3).map(tuple)
zones = st.just(UTC) | st.integers(-14 * 60, 14 * 60).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
secrets = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=12, max_size=60)
seconds = st.floats(0.001, 1e6)
limits = st.builds(
    Limits,
    connect_seconds=seconds,
    read_seconds=seconds,
    total_seconds=seconds,
    attempts=st.integers(1, 100),
    first_backoff_seconds=seconds,
    longest_backoff_seconds=seconds,
    backoff_budget_seconds=seconds,
    unanswered_in_a_row=st.integers(1, 1000),
    unanswered_seconds=seconds,
    refused_in_a_row=st.integers(1, 1000),
)
plain_settings = {
    "base_url": st.sampled_from(
        [
            None,
            "",
            "https://api.example/client/v4/",
            "http://127.0.0.1:8080",
            "http://[::1]:1/x",
            "HTTPS://A.b",
        ]
    ),
    "account_ids": st.none() | named_ids,
    "exclude_account_ids": excluded_ids,
    "account_documents": st.lists(
        named_ids.map(lambda ids: json.dumps({"id": ids[0], "name": "ä"})), max_size=2
    ).map(tuple),
    "with_shared": st.booleans(),
    "concurrency": st.integers(1, 10_000),
    "quota_share": st.floats(0, 1, exclude_min=True),
    "max_delete_fraction": st.floats(0, 1),
    "resume_within": st.none() | st.timedeltas(timedelta(0), timedelta(days=3650)),
    "observed_at": st.none() | st.datetimes(timezones=zones),
    "limits": limits,
}
every_setting = settings(max_examples=150, deadline=None)


@every_setting
@given(one=st.builds(SyncSettings, **plain_settings), token=secrets)
def test_settings_come_back_from_json(one: SyncSettings, token: str) -> None:
    """`as_json`, through JSON text, and `from_json` with credentials give equal settings."""
    document = json.loads(json.dumps(one.as_json()))

    assert SyncSettings.from_json(document) == one
    assert SyncSettings.from_json(document, api_token=token) == replace(one, api_token=token)
    assert SyncSettings.from_json(document, email="me@example.com", api_key=token) == replace(
        one, email="me@example.com", api_key=token
    )
    assert SyncSettings.from_json(document).as_json() == one.as_json()


@every_setting
@given(
    one=st.builds(
        SyncSettings,
        **plain_settings,
        **{name: secrets.map(lambda text, name=name: f"{name}{text}") for name in CREDENTIALS},
    )
)
def test_neither_json_nor_repr_shows_a_credential(one: SyncSettings) -> None:
    """Promise 10: not of the settings, and not of the connection and the credentials made from them."""
    shown = [json.dumps(one.as_json()), repr(one), repr(one.connection), repr(one.credentials)]

    assert not one.as_json().keys() & set(CREDENTIALS)
    for name in CREDENTIALS:
        value = getattr(one, name)
        assert not any(value in text or json.dumps(value)[1:-1] in text for text in shown)


def test_json_has_every_setting_but_the_credentials() -> None:
    """A setting that is added tomorrow is written by itself."""
    names = {one.name for one in fields(SyncSettings)} - set(CREDENTIALS)

    assert SyncSettings(api_token="t").as_json().keys() == names


def test_the_defaults_in_json() -> None:
    """What a scheduler may write down; times are in seconds."""
    document = SyncSettings().as_json()

    assert document.pop("limits") == asdict(Limits())
    assert document == {
        "base_url": None,
        "account_ids": None,
        "exclude_account_ids": [],
        "account_documents": [],
        "concurrency": 8,
        "quota_share": 0.9,
        "max_delete_fraction": 0.5,
        "resume_within": None,
        "with_shared": True,
        "observed_at": None,
    }


def test_settings_that_json_leaves_out_are_the_defaults() -> None:
    """A document of an older release lacks what was added since."""
    assert SyncSettings.from_json({}) == SyncSettings()
    assert SyncSettings.from_json({"limits": {"attempts": 2}}) == SyncSettings(limits=Limits(attempts=2))


@pytest.mark.parametrize(
    "document",
    [
        {"unknown": 1},
        {"api_token": "hush"},
        {"concurrency": "eight"},
        {"concurrency": None},
        {"concurrency": 0},
        {"quota_share": [1]},
        {"max_delete_fraction": 2},
        {"account_ids": [7]},
        {"account_ids": ["short"]},
        {"account_ids": 7},
        {"exclude_account_ids": None},
        {"account_documents": None},
        {"account_documents": f'{{"id": "{A}"}}'},
        {"account_documents": [{"id": A}]},
        {"account_documents": ["{"]},
        {"account_documents": ["[]"]},
        {"account_documents": ['{"id": "short"}']},
        {"with_shared": None},
        {"with_shared": 1},
        {"resume_within": "1h"},
        {"resume_within": float("nan")},
        {"observed_at": "yesterday"},
        {"observed_at": 1760000000},
        {"limits": {"unknown": 1}},
        {"limits": None},
        {"limits": [1]},
        {"base_url": "ftp://a.example"},
    ],
)
def test_json_that_is_not_the_settings_of_a_sync_is_refused(document: dict[str, Any]) -> None:
    """One kind of error for unknown names, wrong types and values that cannot be used."""
    with pytest.raises(ConfigurationError):
        SyncSettings.from_json(document, api_token="token")


def test_a_credential_inside_json_is_not_repeated() -> None:
    """The message says which name is wrong, not its value."""
    with pytest.raises(ConfigurationError) as caught:
        SyncSettings.from_json({"api_token": "hush-hush"})

    assert "api_token" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"concurrency": 0}, "concurrency is 0"),
        ({"concurrency": -1}, "concurrency is -1"),
        ({"quota_share": 0}, "quota_share is 0"),
        ({"quota_share": -0.1}, "quota_share is -0.1"),
        ({"quota_share": 1.01}, "quota_share is 1.01"),
        ({"quota_share": float("nan")}, "quota_share is nan"),
        ({"max_delete_fraction": -0.01}, "max_delete_fraction is -0.01"),
        ({"max_delete_fraction": 1.01}, "max_delete_fraction is 1.01"),
        ({"max_delete_fraction": float("nan")}, "max_delete_fraction is nan"),
        ({"account_ids": ("short",)}, "'short' is not an account id"),
        ({"account_ids": ("a" * 33,)}, "is not an account id"),
        ({"account_ids": (A, "g" * 32)}, "is not an account id"),
        ({"account_ids": (f"{A}\n",)}, "is not an account id"),
        ({"account_ids": A}, "'a' is not an account id"),
        ({"exclude_account_ids": ("",)}, "'' is not an account id"),
        ({"base_url": "api.example"}, "The base URL is not usable"),
        ({"base_url": "ftp://api.example"}, "The base URL is not usable"),
        ({"base_url": "https://me:hush@api.example"}, "The base URL is not usable"),
        ({"base_url": "https://api.example?key=hush"}, "The base URL is not usable"),
        ({"base_url": "https://api.example#hush"}, "The base URL is not usable"),
        ({"base_url": "https://api.example\\@evil.example"}, "The base URL is not usable"),
        ({"base_url": "https://api.example:port"}, "The base URL is not usable"),
        ({"base_url": "https://"}, "The base URL is not usable"),
        ({"base_url": "http://api.example"}, "would send the credentials unencrypted"),
        ({"base_url": "HTTP://localhost.example"}, "would send the credentials unencrypted"),
        ({"base_url": "http://10.0.0.1"}, "would send the credentials unencrypted"),
        ({"api_token": "hush\nhush"}, "The API token contains a space or another"),
        ({"api_token": "hush hush"}, "The API token contains a space or another"),
        ({"api_key": "hush\0"}, "The API key contains a space or another"),
        ({"email": "hüsh@example.com"}, "The email contains a space or another"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(setting: dict[str, Any], message: str) -> None:
    """The message names the setting, and repeats nothing that may be a secret."""
    with pytest.raises(ConfigurationError) as caught:
        SyncSettings(**setting)

    assert message in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "hüsh" not in str(caught.value)


def test_settings_are_checked_when_they_are_replaced() -> None:
    """No way leads around the checks."""
    with pytest.raises(ConfigurationError):
        replace(SyncSettings(), concurrency=0)


@pytest.mark.parametrize(
    "one", [SyncSettings(), Limits(), Credentials(), SyncSettings(api_token="t").connection]
)
def test_settings_are_frozen(one: Any) -> None:
    """What was checked cannot be changed afterwards."""
    for name in [one.name for one in fields(one)]:
        with pytest.raises(FrozenInstanceError):
            setattr(one, name, "changed")


def test_equal_settings_have_the_same_hash() -> None:
    """They can be keys of a dictionary."""
    assert len({SyncSettings(account_ids=(A,)), SyncSettings(account_ids=(A.upper(), A))}) == 1


@pytest.mark.parametrize(
    ("given_ids", "normalised"),
    [
        ((A.upper(),), (A,)),
        ((B, A, B.upper()), (B, A)),
        ((), ()),
        ([A], (A,)),
        (("0123456789abcdefABCDEF0123456789",), ("0123456789abcdefabcdef0123456789",)),
    ],
)
def test_account_ids_are_in_lower_case_each_once(given_ids: Any, normalised: tuple[str, ...]) -> None:
    """In the order given, as Cloudflare writes them."""
    assert checked_account_ids(given_ids) == normalised
    assert SyncSettings(exclude_account_ids=given_ids).exclude_account_ids == normalised
    if normalised:
        assert SyncSettings(account_ids=given_ids).account_ids == normalised


@pytest.mark.parametrize(
    ("base_url", "normalised"),
    [
        (None, None),
        ("", None),
        (" https://api.example/client/v4/ ", "https://api.example/client/v4"),
        ("https://api.example:8443", "https://api.example:8443"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://127.0.0.2", "http://127.0.0.2"),
        ("http://[::1]:8080/v4", "http://[::1]:8080/v4"),
    ],
)
def test_a_base_url_is_https_or_plain_http_to_loopback(base_url: str | None, normalised: str | None) -> None:
    """Spaces around it and slashes at its end are removed."""
    assert SyncSettings(base_url=base_url).base_url == normalised


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.0.1", True),
        ("::1", True),
        ("localhost.example", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("2130706433", False),
        ("", False),
    ],
)
def test_a_loopback_host_is_this_machine(host: str, loopback: bool) -> None:
    """Decided by the host's spelling, without a name server."""
    assert is_loopback(host) == loopback


@pytest.mark.parametrize("name", CREDENTIALS)
def test_spaces_around_a_credential_are_removed(name: str) -> None:
    """They come with a copied line."""
    assert getattr(SyncSettings(**{name: " value\n"}), name) == "value"


@pytest.mark.parametrize("blank", ["", " \n"])
@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_credential_that_is_given_blank_is_refused(name: str, blank: str) -> None:
    """Another one, which is looked up instead, might belong to another organisation."""
    with pytest.raises(ConfigurationError, match="given is empty"):
        SyncSettings(**{name: blank})


@pytest.mark.parametrize(
    ("given_values", "credentials", "headers"),
    [
        ({"api_token": "t"}, Credentials(api_token="t"), {"Authorization": "Bearer t"}),
        (
            {"email": "e@example.com", "api_key": "k"},
            Credentials(email="e@example.com", api_key="k"),
            {"X-Auth-Email": "e@example.com", "X-Auth-Key": "k"},
        ),
        (
            {"api_token": "t", "email": "e@example.com", "api_key": "k"},
            Credentials(api_token="t"),
            {"Authorization": "Bearer t"},
        ),
    ],
)
def test_credentials_are_a_token_or_else_an_email_with_a_key(
    given_values: dict[str, str], credentials: Credentials, headers: dict[str, str]
) -> None:
    """The token comes first; the secrets are what must never be shown."""
    one = SyncSettings(**given_values)

    assert one.credentials == credentials
    assert one.connection == Connection(base_url=DEFAULT_BASE_URL, credentials=credentials)
    assert credentials.headers == headers
    assert credentials.secrets == (given_values.get("api_token") or given_values["api_key"],)


@pytest.mark.parametrize("incomplete", [{}, {"email": "e@example.com"}, {"api_key": "k"}])
def test_there_is_no_connection_without_credentials(incomplete: dict[str, str]) -> None:
    """The message names the variables and the permission."""
    one = SyncSettings(**incomplete)

    assert one.credentials is None
    with pytest.raises(ConfigurationError, match=r'CLOUDFLARE_API_TOKEN .* "OAuth Client Read"'):
        _ = one.connection


def test_other_credentials_replace_all_of_the_old_ones() -> None:
    """A token and a pair are never mixed, and the other settings stay."""
    one = SyncSettings(email="e@example.com", api_key="k", concurrency=3)

    assert one.with_credentials(Credentials(api_token="t")) == SyncSettings(api_token="t", concurrency=3)


def test_settings_keep_observed_at_and_resume_within_as_given() -> None:
    """Only their JSON is text and a number of seconds."""
    one = SyncSettings(
        observed_at=datetime(2026, 6, 3, 1, tzinfo=timezone(timedelta(hours=2))),
        resume_within=timedelta(hours=1),
    )

    assert one.as_json()["observed_at"] == "2026-06-03T01:00:00+02:00"
    assert one.as_json()["resume_within"] == 3600.0


@pytest.mark.parametrize("document", [[1], None, 7, "text", {"base_url": 7}, {"resume_within": 1e20}])
def test_a_document_of_another_shape_raises_a_configuration_error(document: Any) -> None:
    """`from_json` raises no other error, whatever it is given."""
    with pytest.raises(ConfigurationError):
        SyncSettings.from_json(document)


@pytest.mark.parametrize(
    "values",
    [
        {"concurrency": 1.5},
        {"concurrency": True},
        {"resume_within": timedelta(days=-1)},
        {"resume_within": timedelta(days=3_000_000)},
        {"observed_at": datetime(2026, 11, 1)},
        {"account_ids": (7,)},
    ],
)
def test_values_that_would_fail_later_are_refused_at_once(values: dict[str, Any]) -> None:
    """Each of them would raise another error in the middle of a sync."""
    with pytest.raises(ConfigurationError):
        SyncSettings(**values)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"account_ids": ()}, "none is named"),
        ({"account_ids": []}, "none is named"),
        ({"account_ids": (A,), "exclude_account_ids": (A,)}, "is excluded, too"),
        ({"account_ids": (A,), "exclude_account_ids": (A.upper(), B)}, "is excluded, too"),
        ({"account_ids": (A.upper(), B), "exclude_account_ids": (B, A)}, "is excluded, too"),
    ],
)
def test_settings_that_leave_no_account_are_refused(values: dict[str, Any], why: str) -> None:
    """A sync of nothing would be a success; only None reads every account."""
    with pytest.raises(ConfigurationError, match=f"no account to read: .*{why}"):
        SyncSettings(**values)
    with pytest.raises(ConfigurationError, match="no account to read"):
        SyncSettings.from_json({name: list(ids) for name, ids in values.items()})


def test_excluded_accounts_may_be_all_that_is_given() -> None:
    """What is listed is known only later."""
    assert SyncSettings(exclude_account_ids=(A, B)).account_ids is None


@pytest.mark.parametrize("account_ids", [7, True, 1.5, object()])
def test_account_ids_that_are_no_list_are_refused(account_ids: Any) -> None:
    """As they may come from dlt's configuration."""
    with pytest.raises(ConfigurationError, match="is not a list of account ids"):
        SyncSettings(account_ids=account_ids)
