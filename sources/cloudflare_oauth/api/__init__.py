"""Cloudflare's API over HTTP: from a path to a listing that is proven whole.

endpoint      what is listed: path, key, subject and permission
client        one request, repeated while that may help
rate_limit    when the next request may be sent
responses     what a response says: a result, or an error
listing       pages to a listing that is proven whole, or known not to be
"""
