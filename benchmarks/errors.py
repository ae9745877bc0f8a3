"""The error that ends a benchmark."""


class BenchmarkError(Exception):
    """A contender failed or did not load everything, so that its time means nothing."""
