"""A benchmark contender that creates an empty database: `python -m tests.support.loads_nothing --db PATH`."""

import sys

import duckdb

if __name__ == "__main__":
    duckdb.connect(sys.argv[2]).close()
