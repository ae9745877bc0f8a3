"""What runs the `cloudflare_oauth` source: the command line, `sync()`, the SQL on top, the bundled API."""
