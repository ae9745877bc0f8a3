"""The program in the surroundings that people have: one sentence, the right exit code, never a traceback."""

import errno
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import duckdb
import pytest

from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.fake_api.faults import never
from tests.support.program import COMMANDS, NAME, PROGRAM, Start, sentence

ONE = account_id("one")


@pytest.fixture
def client(api: FakeApi) -> str:
    """The id of the only client."""
    api.organisation.add(ONE, client_id="client-1", client_name=NAME, redirect_uris=["https://a.example/*"])
    return "client-1"


# Files that are no DuckDB files


def _sqlite(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()


@pytest.mark.variants(4)
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_sqlite, "this is no DuckDB file"),
        (lambda file: file.write_text("a,b\n1,2\n"), "this is no DuckDB file"),
        (lambda file: file.write_bytes(b"PAR1" * 9), "this is no DuckDB file"),
        (lambda file: file.mkdir(), "this is a folder"),
    ],
    ids=["SQLite", "CSV", "Parquet", "folder"],
)
@pytest.mark.parametrize("command", ["sync", "findings", "changes", "explore"])
def test_what_is_no_duckdb_file_is_refused_and_nothing_is_downloaded(
    api: FakeApi, start: Start, tmp_path: Path, make: Callable[[Path], object], why: str, command: str
) -> None:
    """DuckDB would download the extension for SQLite, also if dlt's configuration names the file."""
    make(tmp_path / "file.db")

    assert why in sentence(start(command, "--db", "file.db"), 2)
    if command != "explore":
        done = start(command, DESTINATION__DUCKDB__CREDENTIALS=str(tmp_path / "file.db"))
        assert why in sentence(done, 2)
    assert not api.requests
    assert not (tmp_path / ".duckdb").exists()


@pytest.mark.variants(1)
@pytest.mark.parametrize("command", [["findings"], ["changes"], ["explore", "--export", "pages"]])
def test_an_empty_file_has_no_dataset_yet(
    start: Start, client: str, tmp_path: Path, command: list[str]
) -> None:
    """`mktemp` makes one, and a sync makes a dataset of it."""
    (tmp_path / "empty.duckdb").touch()

    assert "empty.duckdb is empty: run `cloudflare-oauth sync` first" in sentence(
        start(*command, "--db", "empty.duckdb"), 1
    )
    assert start("sync", "--db", "empty.duckdb").returncode == 0
    assert start(*command, "--db", "empty.duckdb").returncode == 0


# Files that cannot be locked

# Takes the place of the system's locks, as a network file system without them does.
WITHOUT_LOCKS = """
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int answer(int file, int command, void *argument) {
    if (command == F_SETLK || command == F_SETLKW) { errno = atoi(getenv("LOCK_ERRNO")); return -1; }
    return syscall(SYS_fcntl, file, command, argument);
}
#define TAKE(name) int name(int file, int command, ...) { \\
    va_list rest; va_start(rest, command); void *argument = va_arg(rest, void *); va_end(rest); \\
    return answer(file, command, argument); }
TAKE(fcntl)
TAKE(fcntl64)
int flock(int file, int how) { errno = atoi(getenv("LOCK_ERRNO")); return -1; }
"""


@pytest.fixture(scope="module")
def without_locks(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A library to preload."""
    if shutil.which("cc") is None:
        pytest.skip("no compiler")
    library = tmp_path_factory.mktemp("locks") / "without_locks.so"
    done = subprocess.run(
        ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)],
        input=WITHOUT_LOCKS,
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no headers for a compiler: {done.stderr[:200]}")
    return str(library)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS], ids=errno.errorcode.get)
def test_a_filesystem_without_locks_is_told_from_a_file_that_is_in_use(
    api: FakeApi, start: Start, client: str, tmp_path: Path, without_locks: str, number: int
) -> None:
    """For dlt's working folders as for the file; a lock that another process holds is one."""
    variables = {"LD_PRELOAD": without_locks, "LOCK_ERRNO": str(number)}
    assert start("sync").returncode == 0

    told = sentence(start("sync", **variables), 2)
    assert "no file in it can be locked" in told
    assert "set DLT_DATA_DIR to a folder on a local disk" in told
    for command in ("findings", "changes"):
        done = start(command, **variables)
        if done.returncode:
            assert "its filesystem has no file locks: put it on a local disk (--db)" in sentence(done, 2)

    variables["LOCK_ERRNO"] = str(errno.EAGAIN)
    assert "another sync with the pipeline name" in sentence(start("sync", **variables), 1)
    assert "is open in another process" in sentence(start("findings", **variables), 1)


# The network


@pytest.fixture
def no_pem(tmp_path: Path) -> Path:
    file = tmp_path / "no.pem"
    file.write_text("hello")
    return file


@pytest.mark.variants(6)
@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"SSL_CERT_FILE": "/no/such/file.pem"}, "SSL_CERT_FILE names /no/such/file.pem"),
        ({"SSL_CERT_FILE": "no.pem"}, "SSL_CERT_FILE names no.pem, which cannot be used: it holds no certif"),
        ({"SSL_CERT_DIR": "/no/such/folder"}, "SSL_CERT_DIR names /no/such/folder, which is no folder"),
        ({"HTTPS_PROXY": "http://me:pa#ss@proxy:3128"}, "HTTPS_PROXY is no address of a proxy"),
        ({"ALL_PROXY": "http://me:pa/ss@proxy:3128"}, "ALL_PROXY is no address of a proxy"),
        ({"https_proxy": "ftp://proxy"}, "HTTPS_PROXY is no address of a proxy"),
    ],
    ids=lambda value: next(iter(value.items()))[1] if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("command", ["sync", "check"])
def test_a_way_to_cloudflare_that_cannot_be_used_is_named(
    api: FakeApi, start: Start, no_pem: Path, variables: dict[str, str], told: str, command: str
) -> None:
    """By the variable, before a request is sent or a file made, and without a password."""
    done = start(command, CLOUDFLARE_BASE_URL="https://api.example/client/v4", **variables)

    line = sentence(done, 2)
    assert told in line
    assert "pa#" not in line
    assert "pa/" not in line
    assert not list(no_pem.parent.glob("*.duckdb"))


@pytest.mark.variants(3)
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "variables",
    [
        {"SSL_CERT_FILE": "/no/such/file.pem", "HTTPS_PROXY": "http://me:pa#ss@proxy"},
        {"SSL_CERT_DIR": "/no/such/folder", "ALL_PROXY": "socks5://127.0.0.1:9", "NO_PROXY": "[::1]"},
        {"HTTP_PROXY": "http://127.0.0.1:9", "SSLKEYLOGFILE": "/no/such/folder/keys"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_no_command_minds_a_network_that_it_does_not_use(
    start_synced: Start, arguments: list[str], variables: dict[str, str]
) -> None:
    """What is on this machine needs neither proxies nor certificates."""
    done = start_synced(*arguments, **variables)

    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("no_proxy", ["[::1]", "::1,[::1]:80", "127.0.0.1,*.example, ,", "*"])
def test_any_list_of_exceptions_from_the_proxy_will_do(
    api: FakeApi, start: Start, client: str, no_proxy: str
) -> None:
    """This machine never needs a proxy, and no spelling of an address is a reason to fail."""
    done = start("sync", NO_PROXY=no_proxy, HTTPS_PROXY="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")

    assert done.returncode == 0, done.stderr


@pytest.fixture
def answering_proxy() -> Iterator[str]:
    """A proxy that asks everyone for a password."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(
                        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
                    )

        threading.Thread(target=answer, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_proxy_that_refuses_is_named_at_once(start: Start, answering_proxy: str) -> None:
    """To ask again would not help."""
    done = start("check", CLOUDFLARE_BASE_URL="https://api.example/client/v4", HTTPS_PROXY=answering_proxy)

    assert "the proxy does not let the request pass (407 Proxy Authentication Required)" in sentence(done, 1)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_is_asked_for_cloudflare(start: Start, scheme: str) -> None:
    """By name: the proxy may know names that this machine does not."""
    asked = list[bytes]()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                # The greeting, no password, the address; then the proxy refuses.
                connection.recv(4096)
                connection.sendall(b"\5\0")
                asked.append(connection.recv(4096))
                connection.sendall(b"\5\2\0\1\0\0\0\0\0\0")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        done = start(
            "check",
            CLOUDFLARE_BASE_URL="https://api.example/client/v4",
            ALL_PROXY=f"{scheme}://127.0.0.1:{server.getsockname()[1]}",
        )
        thread.join(60)

    assert asked == [b"\5\1\0\3\x0bapi.example" + (443).to_bytes(2, "big")]
    assert "api.example" in sentence(done, 1) or "proxy" in sentence(done, 1)


# Output


@pytest.mark.variants(9)
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "utf-16"])
def test_every_command_writes_in_any_encoding(
    start_synced: Start, arguments: list[str], encoding: str
) -> None:
    """What an encoding lacks is shown as its escape; JSON stays JSON."""
    done = start_synced(*arguments, PYTHONIOENCODING=encoding, COLUMNS="200")

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    if "json" in arguments and encoding != "utf-16":
        json.loads(done.stdout)


@pytest.mark.variants(9)
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("columns", ["0", "1", "-3", "wide", "100000", "²"])
def test_every_command_prints_at_any_width(start_synced: Start, arguments: list[str], columns: str) -> None:
    """A width that is none counts as not told; so does a height."""
    done = start_synced(*arguments, COLUMNS=columns, LINES=columns)

    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.variants(9)
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-", "> /dev/full", "2> /dev/full"])
def test_every_command_ends_with_its_exit_code_whatever_its_streams_are(
    synced_folder: tuple[Path, dict[str, str]], arguments: list[str], closed: str
) -> None:
    """Only a result that could not be written is a failure; the file of the dataset stays whole."""
    folder, environment = synced_folder

    done = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", *PROGRAM, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == (1 if closed == "> /dev/full" else 0), done.stderr
    assert "Traceback" not in done.stderr
    if closed == "> /dev/full":
        assert "could not be written to standard output: No space left on device" in done.stderr
    with duckdb.connect(folder / "cloudflare_oauth.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT client_name FROM cloudflare.oauth_clients").fetchall() == [(NAME,)]


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["changes", "--format", "json"], 0),
        (["findings"], 0),
        (["findings", "--format", "csv", "--fail-on", "low"], 4),
    ],
)
def test_a_reader_that_has_seen_enough_changes_no_exit_code(
    api: FakeApi,
    tmp_path: Path,
    environment: dict[str, str],
    arguments: list[str],
    exit_code: int,
) -> None:
    """`| head` ends before the program does."""
    for number in range(2_000):
        api.organisation.add(ONE, client_id=f"client-{number}", redirect_uris=["https://a.example/*"])
    subprocess.run([*PROGRAM, "sync"], cwd=tmp_path, env=environment, capture_output=True, check=True)

    done = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$@" | head -n 1 > first', "bash", *PROGRAM, *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (exit_code, "")
    assert (tmp_path / "first").read_text()


# Files


@pytest.mark.parametrize(
    ("file", "content", "exit_code", "told"),
    [
        ("waivers.toml", '\ufeff[[waiver]]\nrule = "RU-02"\nreason = "known"\n', 0, None),
        (".dlt/config.toml", "[runtime]\nslack_incoming_hook = 'https://hooks.example/x'\n", 2, "slack_inc"),
        (
            ".dlt/config.toml",
            "[sources.cloudflare_oauth]\naccount_ids = [1, 2]\n",
            2,
            "1 is not an account id",
        ),
        (".dlt/config.toml", "\ufeff[runtime]\nlog_level = 'CRITICAL'\n", 2, "byte order mark"),
        (".dlt/secrets.toml", "[sources.cloudflare_oauth\n", 2, "secrets.toml"),
    ],
)
def test_files_that_editors_and_people_write(
    start: Start, client: str, tmp_path: Path, file: str, content: str, exit_code: int, told: str | None
) -> None:
    """A byte order mark is no content; what cannot be used is named."""
    (tmp_path / ".dlt").mkdir()
    (tmp_path / file).write_text(content, "utf-8")

    done = start("sync", CLOUDFLARE_ACCOUNT_ID=None)

    assert "Traceback" not in done.stderr
    assert done.returncode == exit_code, done.stderr
    if told:
        assert told in sentence(done, exit_code)


@pytest.mark.variants(3)
@pytest.mark.parametrize("command", [["sync", "--format", "json"], ["findings"], ["changes"]], ids=" ".join)
@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[runtime]\nlog_level = 'info'\n", "Unknown level: 'info' (log_level under [runtime], or RUNTIME__"),
        ("runtime = 3\n", "dlt's configuration cannot be read"),
        ("a = " + "[" * 5_000, "dlt's configuration cannot be read"),
    ],
    ids=["log level", "no section", "nested"],
)
def test_whatever_dlts_configuration_says_no_command_shows_a_traceback(
    start_synced: Start, tmp_path: Path, command: list[str], content: str, told: str
) -> None:
    """dlt reads the file when it is first asked for anything."""
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text(content)

    assert told in sentence(start_synced(*command, DLT_PROJECT_DIR=str(tmp_path)), 2)


@pytest.mark.parametrize(
    ("waiver", "told"),
    [
        ('subject = "a\\u0000b"', "waiver 1: subject contains the character NUL"),
        ("subject = " + "[" * 5_000, "the waivers file waivers.toml cannot be read"),
    ],
    ids=["NUL", "nested"],
)
def test_a_waiver_that_no_database_could_look_for_is_named(
    start: Start, tmp_path: Path, waiver: str, told: str
) -> None:
    """Before anything is asked."""
    (tmp_path / "waivers.toml").write_text(f'[[waiver]]\nrule = "RU-02"\nreason = "x"\n{waiver}\n')

    assert told in sentence(start("findings"), 2)


# Variables


@pytest.mark.variants(9)
@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"CLOUDFLARE_BASE_URL": "http://127.0.0.1:99999/client/v4"}, "The base URL is not usable"),
        ({"CLOUDFLARE_BASE_URL": "https://[:]/client"}, "The base URL is not usable"),
        ({"CLOUDFLARE_BASE_URL": "https://[::1.2.3]"}, "The base URL is not usable"),
        ({"HTTPS_PROXY": "http://proxy:99999"}, "HTTPS_PROXY is no address of a proxy"),
        ({"HTTPS_PROXY": "http://[::x]:3128"}, "HTTPS_PROXY is no address of a proxy"),
        ({"SSLKEYLOGFILE": "/no/such/folder/keys"}, "SSLKEYLOGFILE names /no/such/folder/keys"),
        ({"CLOUDFLARE_API_TOKEN": f"Bearer {FAKE_TOKEN}"}, "The API token contains a space"),
        ({"RUNTIME__LOG_LEVEL": "verbose"}, "Unknown level: 'verbose'"),
        (
            {"LOAD__WORKERS": "many"},
            "dlt's configuration cannot be read: Configured value for field `workers`",
        ),
        ({"SCHEMA__NAMING": "no_such"}, "dlt's configuration cannot be read: Naming module `no_such"),
        ({"CLOUDFLARE_OAUTH_DATASET": "information_schema"}, "databases keep this name for themselves"),
        ({"CLOUDFLARE_OAUTH_DATASET": "pg_catalog"}, "databases keep this name for themselves"),
        ({"CLOUDFLARE_OAUTH_DB": os.fsdecode(b"caf\xe9.duckdb")}, "its path is no UTF-8"),
    ],
    ids=lambda value: ascii("=".join(*value.items())) if isinstance(value, dict) else "",
)
def test_a_variable_that_cannot_be_used_is_named(
    start: Start, client: str, variables: dict[str, str], told: str
) -> None:
    """It is wrong usage, and nothing has failed."""
    variables = (
        {"CLOUDFLARE_BASE_URL": "https://api.example", **variables}
        if {"HTTPS_PROXY", "SSLKEYLOGFILE"} & variables.keys()
        else variables
    )

    assert told in sentence(start("sync", **variables), 2)


def test_the_demo_needs_no_network(start: Start, tmp_path: Path) -> None:
    """Its API is on this machine, so that neither proxies nor certificates matter."""
    variables = {
        "SSL_CERT_FILE": "/no/such/file.pem",
        "HTTPS_PROXY": "http://[::x]",
        "ALL_PROXY": "nonsense#",
    }

    done = start("demo", "--days", "2", **variables)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "demo.duckdb").exists()


@pytest.mark.variants(1)
@pytest.mark.parametrize("width", ["wide", "", "-1", "0x50"])
def test_a_width_of_the_terminal_that_is_none_is_ignored(start: Start, width: str) -> None:
    """By the help, and by what wrong usage is told."""
    assert start("--help", TERMINAL_WIDTH=width).returncode == 0
    assert "--nope" in start("sync", "--nope", TERMINAL_WIDTH=width).stderr


@pytest.mark.parametrize("since", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"])
def test_a_date_beyond_the_calendar_is_none(start: Start, since: str) -> None:
    """In UTC, it is in a year that does not exist."""
    assert "use an age (12h, 7d, 2w) or a date" in sentence(start("changes", "--since", since), 2)


def test_variables_name_the_dataset_in_every_command(start: Start, client: str, tmp_path: Path) -> None:
    """Not only for the notebooks; an option goes first."""
    variables = {"CLOUDFLARE_OAUTH_DB": "mine.duckdb", "CLOUDFLARE_OAUTH_DATASET": "security"}

    assert start("sync", **variables).returncode == 0
    assert not (tmp_path / "cloudflare_oauth.duckdb").exists()
    with duckdb.connect(tmp_path / "mine.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM security.oauth_clients").fetchall() == [(1,)]
    for command in (["changes"], ["findings"], ["explore", "--export", "pages"]):
        assert start(*command, **variables).returncode == 0
    assert "other.duckdb does not exist" in sentence(
        start("findings", "--db", "other.duckdb", **variables), 1
    )
    assert start("findings", "--dataset", "cloudflare", **variables).returncode == 1


def test_the_variable_of_the_file_is_for_duckdb_alone(start: Start) -> None:
    """Who has set it for good may still name another destination; the option would be a mistake."""
    done = start("findings", "--destination", "postgres", CLOUDFLARE_OAUTH_DB="mine.duckdb")

    assert "--db" not in sentence(done, 2)


# Ends from outside


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_a_sync_with_a_sentence_and_its_summary(
    api: FakeApi, tmp_path: Path, environment: dict[str, str], client: str, signal_name: str
) -> None:
    """The same for each; the exit code tells which."""
    number = signal.Signals[signal_name]
    api.behaviour.break_(ONE, never())
    process = subprocess.Popen(
        [*PROGRAM, "sync", "--format", "json"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell, or `nohup`, has it ignored in what it runs in the background, such as these tests.
        preexec_fn=partial(signal.signal, number, signal.SIG_DFL),
    )
    assert process.stderr is not None
    # It has listed the accounts, and dlt is imported.
    assert "reading 1 accounts" in process.stderr.readline()

    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 128 + number, stderr
    how = "interrupted" if number == signal.SIGINT else f"ended by {signal_name}"
    assert stderr.splitlines()[-1] == (
        f"error: {how}: 0 of 1 accounts were loaded; the next sync does the rest"
    )
    assert json.loads(stdout)["status"] == "failed"


def test_a_signal_that_is_ignored_stays_ignored(
    api: FakeApi, tmp_path: Path, environment: dict[str, str], client: str
) -> None:
    """`nohup` has SIGHUP ignored."""
    account = api.behaviour
    account.break_(ONE, never())
    process = subprocess.Popen(
        ["bash", "-c", 'trap "" HUP; exec "$@"', "bash", *PROGRAM, "sync"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "reading 1 accounts" in process.stderr.readline()

    process.send_signal(signal.SIGHUP)
    account.heal()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)

    assert process.returncode == 128 + signal.SIGTERM
