"""What ends a benchmark."""


class BenchmarkError(Exception):
    """A contender failed or did not load everything: there is nothing to compare."""
