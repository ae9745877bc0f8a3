"""The guard of the notebook server: other web sites cannot read the dataset."""

from pathlib import Path

import httpx

from cloudflare_oauth_pipeline.destinations.target import Target
from tests.support.served import explored


def test_requests_of_other_sites_are_refused(
    demo: Target, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Another origin and a host name rebound to this machine get 403, without CORS headers."""
    with explored(demo.db, tmp_path, environment) as address:
        port = address.rstrip("/").rpartition(":")[2]
        answers = [
            httpx.get(f"{address}inventory/", headers=headers)
            for headers in (
                {"Origin": "https://evil.example"},
                {"Origin": "null"},
                {"Host": f"evil.example:{port}"},
                {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"},
            )
        ]
        own = httpx.get(f"{address}inventory/", headers={"Origin": address.rstrip("/")})

    assert [answer.status_code for answer in answers] == [403] * 4
    assert not any("access-control-allow-origin" in answer.headers for answer in answers)
    assert own.status_code == 200
