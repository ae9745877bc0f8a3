-- id: LO-01
-- title: Post-logout redirect over unencrypted http
-- severity: medium
-- why: Whoever is on the network path sees who signs out, and can send them on.
-- mend: Use https.
-- reference: OIDC RP-Initiated Logout 1.0 §3.1
-- needs: post_logout_redirect_uris

SELECT account_id, client_id, value AS subject, 'http to ' || host AS detail
FROM oauth_clients__post_logout_redirect_uris
WHERE scheme = 'http' AND host_type NOT IN ('loopback', 'localhost')
