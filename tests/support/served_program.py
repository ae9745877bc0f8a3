"""Run the syncs that standard input asks for, one JSON object a line, and answer each with a line.

An object has `target` and `settings`, the arguments of `Target` and `SyncSettings` (paths as texts), and
`environment`. The answer is the summary, or `error` and `message`. Imported are only the packages that
`PYTHONPATH` names first, so that it may be another version of the program.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from cloudflare_oauth import CloudflareOAuthError, Limits, SyncSettings
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.run.sync import sync


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run one sync."""
    os.environ.update(request["environment"])
    target = {
        name: Path(value) if name in ("db", "pipelines_dir") else value
        for name, value in request["target"].items()
    }
    settings = request["settings"] | {"limits": Limits(**request["settings"]["limits"])}
    try:
        return sync(Target(**target), SyncSettings(**settings)).as_json()
    except CloudflareOAuthError as error:
        return {"error": type(error).__name__, "message": str(error)}


if __name__ == "__main__":
    # What libraries print must not come between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), file=answers, flush=True)
