-- id: LO-01
-- title: Post-logout redirect URI over unencrypted HTTP
-- severity: medium
-- risk: An attacker on the network path can see who signs out and redirect them elsewhere.
-- remediation: Use an https URI.
-- reference: OIDC RP-Initiated Logout 1.0 §3.1
-- requires: post_logout_redirect_uris

SELECT account_id, client_id, value AS subject, 'unencrypted HTTP to ' || host AS detail
FROM oauth_clients__post_logout_redirect_uris
WHERE scheme = 'http' AND host_type NOT IN ('loopback', 'localhost')
