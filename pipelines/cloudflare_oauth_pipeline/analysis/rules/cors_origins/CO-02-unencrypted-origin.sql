-- id: CO-02
-- title: CORS origin over unencrypted HTTP
-- severity: medium
-- risk: An attacker on the network path can run scripts in this origin.
-- remediation: Use an https origin.
-- reference: Fetch Standard, CORS protocol
-- requires: allowed_cors_origins

SELECT account_id, client_id, value AS subject, 'unencrypted HTTP from ' || host AS detail
FROM oauth_clients__allowed_cors_origins
WHERE scheme = 'http' AND host_type NOT IN ('loopback', 'localhost')
