"""The fixtures that tests of destinations share."""

from collections.abc import Iterator

import pytest

from tests.support.warehouses import DeltaOnS3, s3_server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeltaOnS3]:
    """An S3 server on loopback, with an empty bucket."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server
