"""Settings that are known without dlt."""

from pathlib import Path

import pytest

from cloudflare_oauth.configuration import guess_connection, resolve_connection

ENVIRONMENT = {"CLOUDFLARE_API_TOKEN": "token", "CLOUDFLARE_ACCOUNT_ID": "a" * 32}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home that is the current folder, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("variables", "file"),
    [
        ({}, None),
        (
            {
                "RUNTIME__LOG_LEVEL": "CRITICAL",
                "LOAD__TRUNCATE_STAGING_DATASET": "true",
                "__CF_USER_TEXT_ENCODING": "0x1",
            },
            None,
        ),
        ({}, "[runtime]\nlog_level = 'CRITICAL'"),
    ],
    ids=["nothing", "variables", "a file"],
)
def test_without_dlt_it_is_what_dlt_would_say(
    home: Path, variables: dict[str, str], file: str | None
) -> None:
    """Where dlt's configuration is of something else, the environment and the arguments are enough."""
    if file:
        write(home / ".dlt" / "config.toml", file)
    environment = ENVIRONMENT | {"HOME": str(home)} | variables

    guessed = guess_connection(environment=environment)

    assert guessed is not None
    assert guessed == resolve_connection(environment=environment)
    ours = ["B" * 32]
    assert guess_connection(account_ids=ours, environment=environment) == resolve_connection(
        account_ids=ours, environment=environment
    )


@pytest.mark.parametrize(
    "variables",
    [
        {"SOURCES__CLOUDFLARE_OAUTH__BASE_URL": "https://example.com"},
        {"DESTINATION__DUCKDB__CREDENTIALS": "duckdb:///other.duckdb"},
        {"CLOUDFLARE_OAUTH__DESTINATION__DUCKDB__CREDENTIALS": "duckdb:///other.duckdb"},
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
def test_where_dlt_may_know_more_nothing_is_guessed(variables: dict[str, str]) -> None:
    """Nor where something is missing or wrong: who imports dlt says what."""
    assert guess_connection(environment=ENVIRONMENT | variables) is None


@pytest.mark.parametrize("folder", [".dlt", "data/dlt"])
@pytest.mark.parametrize("name", ["config.toml", "secrets.toml", "dev.secrets.toml"])
@pytest.mark.parametrize(
    "content",
    [
        "[sources.cloudflare_oauth]\n",
        "[destination.duckdb]\n",
        "[[[",
        "runtime = 1",
        "[runtime]\nslow = true\n",
    ],
)
def test_where_a_file_may_know_more_nothing_is_guessed(
    home: Path, folder: str, name: str, content: str
) -> None:
    """In the current folder, in the home, and wherever else dlt may look."""
    write(home / folder / name, content)
    environment = ENVIRONMENT | {"HOME": str(home), "XDG_DATA_HOME": str(home / "data")}

    assert guess_connection(environment=environment) is None


def write(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(content)
