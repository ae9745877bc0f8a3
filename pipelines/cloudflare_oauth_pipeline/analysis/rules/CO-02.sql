-- id: CO-02
-- title: CORS origin over unencrypted http
-- severity: medium
-- why: Whoever is on the network path can run a script of that origin.
-- mend: Use https.
-- reference: Fetch Standard, CORS protocol
-- needs: allowed_cors_origins

SELECT account_id, client_id, value AS subject, 'http from ' || host AS detail
FROM oauth_clients__allowed_cors_origins
WHERE scheme = 'http' AND host_type NOT IN ('loopback', 'localhost')
