"""A lock on a dataset in an S3 bucket: an object beside it that only one sync can create.

It is created by a conditional put (`If-None-Match: *`) and renewed by others (`If-Match`), of which S3 lets
one at a time succeed: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html. What a
killed sync leaves is taken over once it has not been renewed for `LEASE_SECONDS`. How old it is, S3 alone
tells: by the time of its last change and the time of the answer, so that no clock of a machine matters.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from cloudflare_oauth import BusyError, ConfigurationError, DestinationError, events

from .adapter import DatasetLock

# Shorter than others wait for a lock: they outlast one that was left behind.
LEASE_SECONDS = 300.0
RENEWALS_PER_LEASE = 5
SECONDS_BETWEEN_ATTEMPTS = 1.0

# Another condition held, or another conditional write to the object was under way.
_REFUSED = (409, 412)
_NOT_IMPLEMENTED = 501


class _RefusedError(Exception):
    """S3 refused a conditional request, because the object is not as expected."""


class BucketLock(DatasetLock):
    """A lock on a dataset, held by a lease that a thread renews.

    Args:
        files: s3fs's file system, as dlt has configured it.
        path: bucket and key of the object.
    """

    def __init__(self, files: Any, path: str) -> None:
        self._files = files
        self._path = path
        bucket, key, _ = files.split_path(path)
        self._object = {"Bucket": bucket, "Key": key}
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        self._holder = f"process {os.getpid()} on {socket.gethostname()}, since {now}"
        self._etag = ""
        self._is_lost = False
        self._mutex = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_renewing, name="bucket lock", daemon=True)

    def take(self, longest_wait_seconds: float, observe: events.Observer) -> None:
        """Take the lock, once no other sync holds it.

        Raises:
            BusyError: another sync has held it for longer than is waited.
            ConfigurationError: the storage ignores the conditions of a put, so that it can keep no lock.
            OSError: the storage cannot be reached, or refuses anything else.
        """
        give_up_at = time.monotonic() + longest_wait_seconds
        is_told = False
        while not self._create() and not self._take_over():
            if time.monotonic() > give_up_at:
                raise BusyError(
                    f"another sync has held the lock s3://{self._path} for longer than "
                    f"{longest_wait_seconds:.0f} seconds ({self._other_holder()}): "
                    "wait for it to end, or end it, and run again"
                )
            if not is_told:
                is_told = True
                observe(
                    events.Waiting(longest_wait_seconds, f"another sync is loading ({self._other_holder()})")
                )
            time.sleep(SECONDS_BETWEEN_ATTEMPTS)
        self._thread.start()

    def check(self) -> None:
        """As in `DatasetLock`; the lease starts anew."""
        try:
            with self._mutex:
                self._renew()
        except _RefusedError:
            raise DestinationError(
                f"the lock s3://{self._path} was removed, or taken over by another sync after "
                f"{LEASE_SECONDS:.0f} seconds without a sign of life: run again"
            ) from None

    def release(self) -> None:
        """Release the lock, if it is still this one's."""
        self._ended.set()
        self._thread.join()
        # Some storages ignore the condition of a delete: right after a renewal, it can only be this one's.
        with suppress(_RefusedError, OSError):
            self._renew()
            self._call("delete_object", IfMatch=self._etag)

    def _create(self) -> bool:
        try:
            self._put(IfNoneMatch="*")
        except _RefusedError:
            return False
        # Other storages than S3 may take a condition for something they need not know.
        for condition in ({"IfNoneMatch": "*"}, {"IfMatch": f'"{uuid4().hex}"'}):
            with suppress(_RefusedError):
                self._put(**condition)
                self._call("delete_object")
                raise _no_conditions(self._path)
        return True

    def _take_over(self) -> bool:
        """Take the place of a lock that is no longer renewed."""
        try:
            found = self._call("head_object")
            answered_at = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
            if (answered_at - found["LastModified"]).total_seconds() <= LEASE_SECONDS:
                return False
            self._put(IfMatch=found["ETag"])
        except (FileNotFoundError, _RefusedError):
            return False
        return True

    def _renew(self) -> None:
        if self._is_lost:
            raise _RefusedError
        try:
            self._put(IfMatch=self._etag)
        except (FileNotFoundError, _RefusedError):
            self._is_lost = True
            raise _RefusedError from None

    def _keep_renewing(self) -> None:
        while not self._ended.wait(LEASE_SECONDS / RENEWALS_PER_LEASE):
            # Without a connection, the next renewal or check finds out whether the lock is still there.
            with suppress(_RefusedError, OSError), self._mutex:
                self._renew()

    def _put(self, **condition: str) -> None:
        # The tag of an object depends on its content: no two puts have the same.
        content = f"{self._holder}\n{uuid4().hex}\n".encode()
        try:
            self._etag = self._call("put_object", Body=content, **condition)["ETag"]
        except _RefusedError:
            # s3fs repeats a put whose answer was lost.
            try:
                etag = self._call("head_object")["ETag"]
                if self._content() != content:
                    raise
            except FileNotFoundError:
                raise _RefusedError from None
            self._etag = etag

    def _content(self) -> bytes:
        content: bytes = self._files.cat_file(self._path)
        return content

    def _other_holder(self) -> str:
        try:
            return self._content().decode(errors="replace").partition("\n")[0]
        except (OSError, BotoCoreError):
            return "which has ended meanwhile"

    def _call(self, method: str, **arguments: Any) -> Any:
        try:
            return self._files.call_s3(method, **self._object, **arguments)
        except BotoCoreError as error:
            raise OSError(str(error)) from error
        except OSError as error:
            status = _status(error)
            if status in _REFUSED:
                raise _RefusedError from error
            if status == _NOT_IMPLEMENTED:
                raise _no_conditions(self._path) from error
            raise


def _status(error: OSError) -> int | None:
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return None
    status: int | None = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _no_conditions(path: str) -> ConfigurationError:
    return ConfigurationError(
        f"the storage of s3://{path} ignores the conditions of a put (If-None-Match, If-Match), without "
        "which neither a lock nor a Delta table is safe from a second sync: use one that honours them"
    )


@contextmanager
def bucket_lock(
    files: Any, path: str, longest_wait_seconds: float, observe: events.Observer
) -> Iterator[BucketLock]:
    """Hold the lock that is an object of a bucket.

    Raises:
        BusyError, ConfigurationError, OSError: as `BucketLock.take`.
        DestinationError: it was lost before the context ended.
    """
    lock = BucketLock(files, path)
    lock.take(longest_wait_seconds, observe)
    try:
        yield lock
        lock.check()
    finally:
        lock.release()
