"""`python -m cloudflare_oauth_pipeline` is `cloudflare-oauth`."""

from .cli import main

main()
