"""What the demo proposes to look at next, with the answer to a first question."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from ...destinations.dataset import open_dataset
from ...destinations.target import Target
from ...safe_text import printable_lines
from .console import stdout, table

FIRST_QUESTION = "Which redirect URIs may hand an authorization code to an attacker?"
FIRST_QUERY = r"""
SELECT a.name AS account, c.client_name AS client, u.value AS redirect_uri
FROM {dataset}.oauth_clients__redirect_uris AS u
JOIN {dataset}.oauth_clients AS c USING (account_id, client_id)
JOIN {dataset}.accounts AS a USING (account_id)
WHERE u.value LIKE '%*%' OR u.value LIKE 'javascript:%'
   OR (u.value LIKE 'http://%'
       AND NOT regexp_matches(u.value, '^http://(localhost|127\.|\[::1\])'))
ORDER BY ALL""".strip()
OWN_QUERY = "SELECT * FROM {dataset}.account_syncs"


def print_next_steps(target: Target) -> None:
    """Print a first question with its query and its answer, and the commands to try next.

    Raises:
        DestinationError: the dataset cannot be read.
    """
    console = stdout()
    query = FIRST_QUERY.format(dataset=target.dataset)
    with open_dataset(target) as dataset:
        result = dataset.query(query)
    console.print(f"\n1. {FIRST_QUESTION}\n")
    console.print(printable_lines(f"    {line}" for line in query.splitlines()), soft_wrap=True)
    console.print(table(result.columns, result.rows))
    db = target.duckdb_file
    own = OWN_QUERY.format(dataset=target.dataset)
    steps = (
        f"2. Which clients are dangerous, why, and what to do?\n"
        f"   {_runnable('cloudflare-oauth')} findings --db {db}\n"
        f"3. What was found, and what has changed since?\n"
        f"   {_runnable('cloudflare-oauth')} changes --db {db}\n"
        f"4. Look at everything in the browser:\n"
        f"   {_runnable('cloudflare-oauth')} explore --db {db}\n"
        f"5. Ask your own question:\n"
        f"   {_runnable('python')} -c \"import duckdb; duckdb.connect('{db}').sql('{own}').show()\""
    )
    console.print(steps, markup=False, soft_wrap=True)


def _runnable(program: str) -> str:
    """How to call a program of this environment from here: by its name, if that finds it."""
    ours = Path(sys.executable).with_name(program)
    found = shutil.which(program)
    if found is not None and Path(found).parent == ours.parent:
        return program
    return shlex.quote(os.path.relpath(ours) if ours.is_relative_to(Path.cwd()) else str(ours))
