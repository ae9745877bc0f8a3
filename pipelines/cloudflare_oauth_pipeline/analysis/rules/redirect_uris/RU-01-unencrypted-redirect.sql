-- id: RU-01
-- title: Redirect URI over unencrypted HTTP
-- severity: high
-- risk: An attacker on the network path can read the authorization code.
-- remediation: Register an https redirect URI; use http only for loopback addresses.
-- reference: RFC 9700 §2.6; OAuth 2.1 §1.5
-- requires: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'unencrypted HTTP to ' || u.host AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.scheme = 'http' AND u.host_type NOT IN ('loopback', 'localhost')
