"""A benchmark contender that creates an empty database: `python -m tests.support.loads_nothing`."""

import os

import duckdb

if __name__ == "__main__":
    duckdb.connect(os.environ["DESTINATION__DUCKDB__CREDENTIALS"]).close()
