"""What a machine has run out of is told, whatever a library says instead."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id, faults
from cloudflare_oauth_pipeline.shortages import shortage_of
from tests.support.commands import Run


def caused(by: BaseException, *, context: bool = False) -> Exception:
    """An error of a library that hides what has caused it."""
    try:
        try:
            raise by
        except BaseException as error:
            if context:
                raise ValueError("please check your credentials")  # noqa: B904  # without a cause
            raise ValueError("please check your credentials") from error
    except ValueError as error:
        return error


@pytest.mark.parametrize("context", [False, True], ids=["cause", "context"])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "not enough memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "not enough memory"),
        (duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate data"), "not enough memory"),
        (ImportError("x.so: failed to map segment from shared object"), "not enough memory"),
        (RuntimeError("std::bad_alloc"), "not enough memory"),
        (RuntimeError("can't start new thread"), "no more threads or processes"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "no more threads or processes"),
        (duckdb.Error("thread constructor failed: Resource temporarily unavailable"), "no more threads"),
    ],
    ids=repr,
)
def test_the_shortage_behind_an_error_is_told(error: Exception, told: str, context: bool) -> None:
    """With the limit to raise."""
    for one in (error, caused(error, context=context)):
        sentence = shortage_of(one)
        assert sentence is not None
        assert told in sentence
        assert "ulimit" in sentence


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.ENOSPC, "No space left on device")])
def test_other_errors_are_none(error: Exception) -> None:
    """They say what they mean."""
    assert shortage_of(caused(error)) is None


def test_what_cloudflare_says_of_memory_is_not_about_this_machine(api: FakeApi, run: Run) -> None:
    """Its words are passed on."""
    api.behaviour.fail_next(faults.error(400, 1234, "out of memory"), times=None)

    done = run("sync")

    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].endswith("Cloudflare refused (400, code 1234): out of memory")


@pytest.mark.scale
@pytest.mark.parametrize("megabytes", [450, 500])
def test_little_memory_is_told_in_a_sentence(api: FakeApi, tmp_path: Path, megabytes: int) -> None:
    """No traceback, and no false cause.

    With a little more, the code of a library (Arrow, OpenBLAS) is what fails first, and ends the process.
    """
    for number in range(50):
        api.organisation.add(account_id("one"), client_id=f"client-{number}")
    program = f'ulimit -v {megabytes}000; exec "$@"'

    done = subprocess.run(
        ["bash", "-c", program, "bash", sys.executable, "-m", "cloudflare_oauth_pipeline", "sync"],
        cwd=tmp_path,
        env=os.environ
        | {
            "HOME": str(tmp_path),
            "DLT_DATA_DIR": str(tmp_path / "dlt"),
            "CLOUDFLARE_API_TOKEN": FAKE_TOKEN,
            "CLOUDFLARE_BASE_URL": api.base_url,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )

    assert "Traceback" not in done.stderr
    # Where libraries take less, or the system does not enforce the limit, it is enough.
    assert done.returncode in (0, 1), done.stderr
    assert done.returncode == 0 or "(ulimit -v" in done.stderr.splitlines()[-1]
