-- id: RU-02
-- title: Pattern in a redirect URI
-- severity: critical
-- risk: A pattern lets an attacker choose the address that receives the authorization code.
-- remediation: Register every redirect URI in full.
-- reference: RFC 9700 §2.1, §4.1.1
-- requires: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'contains a wildcard or pattern' AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.has_pattern
  AND COALESCE(u.scheme, '') NOT IN ('javascript', 'data', 'file', 'blob', 'vbscript')
