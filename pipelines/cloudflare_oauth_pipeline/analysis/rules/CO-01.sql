-- id: CO-01
-- title: CORS for every origin
-- severity: high
-- why: Scripts of any web site, or of any file, may call the token endpoint for the client.
-- mend: Name the origins that need it.
-- reference: Fetch Standard, CORS protocol
-- needs: allowed_cors_origins

SELECT account_id, client_id, value AS subject, 'origin ' || value AS detail
FROM oauth_clients__allowed_cors_origins
WHERE value IN ('*', 'null')
