"""A pgbouncer in front of the tests' PostgreSQL server."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs

from tests.support.warehouses import Postgres

# As Debian ships it, it refuses dlt's `options`.
AS_SHIPPED = "extra_float_digits"
AS_NEEDED = "extra_float_digits, options"
_CONFIGURATION = """
[databases]
* = host={socket_dir} port=5432 user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
ignore_startup_parameters = {ignored}
"""


class Pooled(Postgres):
    """A database behind a pgbouncer; it is read back directly."""

    port = 0

    @classmethod
    def of(cls, database: Postgres, port: int) -> Self:
        """The database behind the pgbouncer on that port of loopback."""
        pooled = cls(database.server, database.database)
        pooled.port = port
        uri = f"postgresql://postgres:none@127.0.0.1:{port}/{database.database}"
        pooled.environment = {"DESTINATION__POSTGRES__CREDENTIALS": uri}
        return pooled


def pgbouncer_binary() -> str | None:
    """The path of pgbouncer, which is installed once if it is missing; None if it cannot be had."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    if shutil.which("pgbouncer", path=path) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "pgbouncer"], capture_output=True, check=False)
    return shutil.which("pgbouncer", path=path)


@contextmanager
def pooled(
    database: Postgres, binary: str, *, ignored: str = AS_NEEDED, pool_size: int = 20
) -> Iterator[Pooled]:
    """Run a pgbouncer in transaction mode in front of a database."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        # It refuses to run as root, and the user that it runs as has to read the file.
        Path(folder).chmod(0o755)
        file = Path(folder) / "pgbouncer.ini"
        (socket_dir,) = parse_qs(database.server)["host"]
        file.write_text(
            _CONFIGURATION.format(socket_dir=socket_dir, port=port, pool_size=pool_size, ignored=ignored)
        )
        user = "pgserver" if os.geteuid() == 0 else None
        with subprocess.Popen([binary, str(file)], user=user, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                # Its last line before it serves.
                assert any("process up" in line for line in process.stderr), process.poll()
                # It reports every connection, and a full pipe would stop it.
                reading = threading.Thread(target=deque, args=(process.stderr, 0))
                reading.start()
                yield Pooled.of(database, port)
            finally:
                process.terminate()
                process.wait(timeout=20)
                reading.join()
