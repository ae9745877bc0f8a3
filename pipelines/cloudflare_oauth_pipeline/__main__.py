"""The program: `cloudflare-oauth`, or `python -m cloudflare_oauth_pipeline`."""

import gc

# Python's garbage collector, left as it is, looks at every row again and again, a fifth of the time of a
# sync, and once more at everything before the program ends. Rows are no garbage: they go when used.
_COLLECT_AFTER = (200_000, 50, 100)


def main() -> None:
    """Run the command line."""
    gc.set_threshold(*_COLLECT_AFTER)
    # Not before: nothing that is imported ever becomes garbage.
    from .cli import main as run

    try:
        run()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
