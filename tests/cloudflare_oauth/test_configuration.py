"""Settings are resolved from arguments, the environment and dlt's configuration; unsafe ones are refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dlt
import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from cloudflare_oauth import (
    ConfigurationError,
    SyncSettings,
    resolve_settings,
    resolve_settings_without_dlt,
)
from cloudflare_oauth.settings import DEFAULT_BASE_URL, Credentials

QUIET = "[runtime]\ndlthub_telemetry = false\nlog_level = 'CRITICAL'\n"
A = "a" * 32
ENVIRONMENT = {"CLOUDFLARE_API_TOKEN": "token", "CLOUDFLARE_ACCOUNT_ID": A}


@pytest.fixture(autouse=True)
def configured_again() -> Iterator[None]:
    """After the test, dlt knows nothing of the test's files."""
    yield
    dlt.current.run_context().reload()


@pytest.fixture(autouse=True)
def home(configured_again: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, which is also the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_credentials_are_not_in_any_repr() -> None:
    """Promise 10: `repr` of the settings and of the credentials masks every secret."""
    connection = resolve_settings(SyncSettings(api_token="s3cret"), environment={})

    assert "s3cret" not in repr(connection)
    assert "s3cret" not in repr(Credentials(email="e@example.com", api_key="s3cret"))


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.cloudflare.com/client/v4",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "https://user:password@api.cloudflare.com/",
        "https://api.cloudflare.com/?q=1",
        "http://127.0.0.1\\@evil.example/",
        "http://127.0.0.1#@evil.example/",
        "http://[::1].evil.example/",
        "ftp://127.0.0.1/",
        "api.cloudflare.com",
        "",
        "https://",
    ],
)
def test_an_unsafe_base_url_is_refused(base_url: str) -> None:
    """It would expose the credentials: plain `http` is for loopback only, and no host may be ambiguous."""
    environment = {"CLOUDFLARE_BASE_URL": base_url or "https://"}

    with pytest.raises(ConfigurationError, match="base URL"):
        resolve_settings(SyncSettings(api_token="t"), environment=environment)


@pytest.mark.parametrize(
    "base_url", ["http://127.0.0.1:1/x", "http://[::1]:1", "http://localhost", "https://a.b"]
)
def test_a_safe_base_url_is_accepted(base_url: str) -> None:
    """Any host is accepted with `https`, loopback with `http`, too; a trailing slash is removed."""
    given = SyncSettings(api_token="t", base_url=base_url + "/")

    assert resolve_settings(given, environment={}).base_url == base_url


@pytest.mark.parametrize("token", ["two words", "new\nline", "ünicode", "\x00"])
def test_a_token_that_does_not_fit_in_a_header_is_a_configuration_error(token: str) -> None:
    """The message does not show the token."""
    with pytest.raises(ConfigurationError) as raised:
        resolve_settings(SyncSettings(api_token=token), environment={})

    assert token not in str(raised.value)


def test_arguments_override_the_environment_which_overrides_dlt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair of email and key is never put together from two places."""
    monkeypatch.setenv("SOURCES__CLOUDFLARE_OAUTH__API_TOKEN", "of-dlt")
    environment = {"CLOUDFLARE_API_TOKEN": "of-the-environment"}

    assert resolve_settings(SyncSettings(), environment={}).api_token == "of-dlt"
    assert resolve_settings(SyncSettings(), environment=environment).api_token == "of-the-environment"
    given = resolve_settings(SyncSettings(api_token="given"), environment=environment)
    assert given.api_token == "given"
    half = {"CLOUDFLARE_EMAIL": "e@example.com"}
    assert resolve_settings(SyncSettings(), environment=half).api_token == "of-dlt"


def test_account_ids_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids are separated by commas, lower-cased and deduplicated."""
    one, two = "0" * 32, "A" * 32
    environment = {"CLOUDFLARE_ACCOUNT_ID": f"{one}, {two},{one}"}

    assert resolve_settings(SyncSettings(api_token="t"), environment=environment).account_ids == (
        one,
        two.lower(),
    )


@pytest.mark.parametrize(
    "value",
    [f" {A} ", f'"{A}"', f"'{A}'", f"{A.upper()}\r\n", f"{A},", f",{A}, ,", f'"{A}","{A}"', f'" {A} , {A}"'],
)
def test_spaces_and_quotes_around_the_ids_of_the_environment_are_removed(value: str) -> None:
    """Files of variables keep them, depending on the tool that reads them."""
    environment = {"CLOUDFLARE_ACCOUNT_ID": value}

    assert resolve_settings(SyncSettings(api_token="t"), environment=environment).account_ids == (A,)


@pytest.mark.parametrize("value", [",", " ", " , ", '""', "''", "\n", "\t,\t"])
def test_an_environment_that_names_no_account_is_refused(value: str) -> None:
    """It is not read as "every account", nor as success without any; only an empty variable is as none."""
    environment = ENVIRONMENT | {"CLOUDFLARE_ACCOUNT_ID": value}

    with pytest.raises(ConfigurationError, match="no account to read: none is named"):
        resolve_settings(SyncSettings(), environment=environment)
    assert resolve_settings_without_dlt(SyncSettings(), environment=environment) is None
    unset = ENVIRONMENT | {"CLOUDFLARE_ACCOUNT_ID": ""}
    assert resolve_settings(SyncSettings(), environment=unset).account_ids is None


@pytest.mark.parametrize("value", ["[]", '[""]', '" "', '""', '","', '[" "]', "7", '["..", "a/b"]'])
def test_a_configuration_of_dlt_that_names_no_account_is_refused(home: Path, value: str) -> None:
    """`account_ids` under `[sources.cloudflare_oauth]`."""
    write(home / ".dlt" / "config.toml", f"[sources.cloudflare_oauth]\naccount_ids = {value}\n")

    with reloaded_dlt(), pytest.raises(ConfigurationError, match=r"no account to read|account id"):
        resolve_settings(SyncSettings(api_token="t"), environment={})


@pytest.mark.parametrize("value", [f'["{A.upper()}"]', f'"{A}"', f'" {A} ,{A}"'])
def test_account_ids_come_from_dlts_configuration(home: Path, value: str) -> None:
    """As a list, or as a text with commas."""
    write(home / ".dlt" / "config.toml", f"[sources.cloudflare_oauth]\naccount_ids = {value}\n")

    with reloaded_dlt():
        assert resolve_settings(SyncSettings(api_token="t"), environment={}).account_ids == (A,)


def test_every_named_account_excluded_is_refused_wherever_it_was_named() -> None:
    """The exclusion is an option, the name a variable."""
    with pytest.raises(ConfigurationError, match="every account that is named is excluded, too"):
        resolve_settings(SyncSettings(exclude_account_ids=(A.upper(),)), environment=ENVIRONMENT)


@pytest.mark.parametrize("variables", [{}, {"__CF_USER_TEXT_ENCODING": "0x1"}], ids=["none", "set by macOS"])
def test_settings_resolved_without_dlt_equal_those_resolved_with_dlt(
    home: Path, variables: dict[str, str]
) -> None:
    """Where dlt is not configured, the environment and the arguments are sufficient."""
    environment = ENVIRONMENT | {"HOME": str(home)} | variables

    for given in (SyncSettings(), SyncSettings(account_ids=("B" * 32,), concurrency=3)):
        resolved = resolve_settings_without_dlt(given, environment=environment)
        assert resolved is not None
        assert resolved == resolve_settings(given, environment=environment)


@pytest.mark.parametrize(
    "variables",
    [
        {"SOURCES__CLOUDFLARE_OAUTH__BASE_URL": "https://example.com"},
        {"DESTINATION__DUCKDB__CREDENTIALS": "duckdb:///other.duckdb"},
        {"CLOUDFLARE_OAUTH__DESTINATION__DUCKDB__CREDENTIALS": "duckdb:///other.duckdb"},
        {"RUNTIME__LOG_LEVEL": "CRITICAL"},
        {"RUNTIME__REQUEST_TIMEOUT": "soon"},
        {"RUNTIME__DLTHUB_TELEMETRY": "perhaps"},
        {"PROVIDERS__ENABLE_GOOGLE_SECRETS": "true"},
        {"DLT_PROJECT_DIR": "elsewhere"},
        {"DLT_CONFIG_FOLDER": "elsewhere"},
        {"CLOUDFLARE_API_TOKEN": ""},
        {"CLOUDFLARE_ACCOUNT_ID": "no account"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_a_variable_that_may_configure_dlt_prevents_resolution_without_it(variables: dict[str, str]) -> None:
    """A missing or invalid setting does, too, so that `resolve_settings` reports it."""
    assert resolve_settings_without_dlt(SyncSettings(), environment=ENVIRONMENT | variables) is None


@pytest.mark.parametrize("folder", [".dlt", "data/dlt"])
@pytest.mark.parametrize("name", ["config.toml", "secrets.toml", "dev.secrets.toml"])
@pytest.mark.parametrize(
    "content",
    [
        "[sources.cloudflare_oauth]\n",
        "[destination.duckdb]\n",
        "[[[",
        "runtime = 1",
        "[runtime]\nlog_level = 'LOUD'\n",
        f"{QUIET}[providers]\nenable_google_secrets = true\n",
    ],
)
def test_a_file_that_may_configure_dlt_prevents_resolution_without_it(
    home: Path, folder: str, name: str, content: str
) -> None:
    """In the current folder, the home or dlt's data folder."""
    write(home / folder / name, content)
    environment = ENVIRONMENT | {"HOME": str(home), "XDG_DATA_HOME": str(home / "data")}

    assert resolve_settings_without_dlt(SyncSettings(), environment=environment) is None


def test_this_project_s_own_file_does_not(home: Path) -> None:
    """A sync from a clone waits no longer than others."""
    own = Path(__file__).parents[2] / ".dlt" / "config.toml"
    write(home / ".dlt" / "config.toml", own.read_text())
    environment = ENVIRONMENT | {"HOME": str(home)}

    resolved = resolve_settings_without_dlt(SyncSettings(), environment=environment)

    assert resolved == resolve_settings(SyncSettings(), environment=environment)


@contextmanager
def reloaded_dlt() -> Iterator[None]:
    """Lets dlt, which reads the files of the current folder once, read them anew."""
    container = Container()
    with container.injectable_context(PluggableRunContext()):
        yield


def write(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(content)


ELSEWHERE = "https://collector.example/client/v4"
TOKEN_BY_DLT = {"SOURCES__CLOUDFLARE_OAUTH__API_TOKEN": "token"}
PAIR = {"CLOUDFLARE_EMAIL": "e@example.com", "CLOUDFLARE_API_KEY": "key"}


@pytest.mark.parametrize("file", ["work/.dlt/config.toml", "work/.dlt/secrets.toml"])
@pytest.mark.parametrize(
    ("given", "variables", "named"),
    [
        (SyncSettings(api_token="token"), {}, "an argument"),
        (SyncSettings(email="e@example.com", api_key="key"), {}, "an argument"),
        (SyncSettings(), {"CLOUDFLARE_API_TOKEN": "token"}, "the environment"),
        (SyncSettings(), PAIR, "the environment"),
        (SyncSettings(), TOKEN_BY_DLT, "the environment"),
    ],
)
def test_a_file_cannot_send_other_credentials_to_another_host(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    given: SyncSettings,
    variables: dict[str, str],
    named: str,
) -> None:
    """A `.dlt` in the current folder may be anyone's; what is in the environment is for Cloudflare."""
    configure(home, monkeypatch, variables, {file: {"base_url": ELSEWHERE}})

    with pytest.raises(ConfigurationError, match=f"{named}.*set CLOUDFLARE_BASE_URL") as raised:
        resolve_settings(given)

    assert "token" not in str(raised.value).replace("secrets.toml", "")
    assert resolve_settings_without_dlt(given) is None


@pytest.mark.parametrize(
    ("given", "variables", "files", "expected"),
    [
        (SyncSettings(), {}, {"base_url": ELSEWHERE, "api_token": "t"}, ELSEWHERE),
        (SyncSettings(), {}, {"base_url": ELSEWHERE, "email": "e@example.com", "api_key": "k"}, ELSEWHERE),
        (SyncSettings(), {"CLOUDFLARE_BASE_URL": ELSEWHERE, "CLOUDFLARE_API_TOKEN": "t"}, {}, ELSEWHERE),
        (SyncSettings(), {"CLOUDFLARE_BASE_URL": ELSEWHERE}, {"api_token": "t"}, ELSEWHERE),
        (
            SyncSettings(),
            {"SOURCES__CLOUDFLARE_OAUTH__BASE_URL": ELSEWHERE, "CLOUDFLARE_API_TOKEN": "t"},
            {},
            ELSEWHERE,
        ),
        (SyncSettings(api_token="t", base_url=ELSEWHERE), {}, {"base_url": "https://b.example"}, ELSEWHERE),
        (SyncSettings(api_token="t"), {}, {"base_url": f"{DEFAULT_BASE_URL}/"}, DEFAULT_BASE_URL),
        (SyncSettings(api_token="t"), {}, {"account_ids": "a" * 32}, DEFAULT_BASE_URL),
    ],
)
def test_every_other_pair_of_places_is_allowed(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: SyncSettings,
    variables: dict[str, str],
    files: dict[str, str],
    expected: str,
) -> None:
    """Both from files, both from the environment, an address that is no file's, and Cloudflare's own."""
    configure(home, monkeypatch, variables, {"work/.dlt/secrets.toml": files})

    assert resolve_settings(given).base_url == expected


def configure(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    files: dict[str, dict[str, str]],
) -> None:
    """Set variables, and write files of dlt; the current folder is `work`, below the home."""
    for name in ("API_TOKEN", "EMAIL", "API_KEY", "BASE_URL", "ACCOUNT_ID"):
        monkeypatch.delenv(f"CLOUDFLARE_{name}", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (home / "work").mkdir()
    monkeypatch.chdir(home / "work")
    for name, settings in files.items():
        lines = [f"{key} = '{value}'\n" for key, value in settings.items()]
        write(home / name, "[sources.cloudflare_oauth]\n" + "".join(lines))
    # dlt has read its files when it was imported.
    dlt.current.run_context().reload()
