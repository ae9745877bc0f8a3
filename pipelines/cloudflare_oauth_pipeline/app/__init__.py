"""The notebooks as a browser app or as exported HTML pages.

- `server`: serve the notebooks as one ASGI app
- `access`: the host names that are served, and the access token
- `guard`: refuse requests for other hosts, from other web sites and without the token
- `export`: find and run the notebooks, and write their pages as plain HTML
- `components`: the HTML parts of a page
- `charts`: bar charts and timelines, each with the same content as text
- `frames`: the dataset as pandas frames
- `client_page`: one client in full, and its change history
- `settings`: the dataset that the notebooks read, and the pages that exist

This package re-exports nothing. `components`, `charts`, `frames` and `client_page` import pandas, the first
two marimo as well. `server`, `access`, `guard`, `export` and `settings` import neither, so that the command
line can check first that they are installed.
"""
