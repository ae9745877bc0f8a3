-- id: RU-09
-- title: Redirect URI with a script or local-file scheme
-- severity: critical
-- risk: Such a URI runs a script or opens a file instead of delivering the authorization response.
-- remediation: Remove the redirect URI.
-- reference: RFC 9700 §2.1
-- requires: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'scheme ' || u.scheme AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.scheme IN ('javascript', 'data', 'file', 'blob', 'vbscript')
