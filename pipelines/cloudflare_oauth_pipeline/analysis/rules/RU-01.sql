-- id: RU-01
-- title: Redirect over unencrypted http
-- severity: high
-- why: Whoever is on the network path reads the authorization code.
-- mend: Register an https redirect URI; http is for loopback addresses only.
-- reference: RFC 9700 §2.6; OAuth 2.1 §1.5
-- needs: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'http to ' || u.host AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.scheme = 'http' AND u.host_type NOT IN ('loopback', 'localhost')
