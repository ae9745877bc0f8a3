-- id: CO-01
-- title: CORS allowed for any origin
-- severity: high
-- risk: Scripts on any website, or in any local file, can call the token endpoint on behalf of the client.
-- remediation: Allow only the origins that need access.
-- reference: Fetch Standard, CORS protocol
-- requires: allowed_cors_origins

SELECT account_id, client_id, value AS subject, 'allowed origin ' || value AS detail
FROM oauth_clients__allowed_cors_origins
WHERE has_pattern OR LOWER(TRIM(value)) IN ('*', 'null')
