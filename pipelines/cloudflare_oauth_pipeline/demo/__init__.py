"""The demo: three weeks in the life of a made-up organisation, played with the fake API.

* `story`: runs the demo, one sync after another (`cloudflare-oauth demo`).
* `organisation`: the accounts of the organisation, and the clients in each.
* `ordinary_clients`: clients as they should be.
* `risky_clients`: clients that a security review would find, and names that are hard to display safely.
* `timeline`: what changes from one day to the next.
"""
