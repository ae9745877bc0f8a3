-- id: RU-11
-- title: Redirect URI that may be an open redirector
-- severity: medium
-- risk: An open redirector behind the redirect URI passes the authorization code on to the address in its parameter, which an attacker can set.
-- remediation: Remove the parameter; keep the target in the state parameter.
-- reference: RFC 9700 §4.11.1
-- requires: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'query parameter ' || u.redirect_parameter AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.redirect_parameter IS NOT NULL
