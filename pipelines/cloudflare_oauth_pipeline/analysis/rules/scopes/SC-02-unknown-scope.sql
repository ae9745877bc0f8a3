-- id: SC-02
-- title: Scope that is not in Cloudflare's catalogue
-- severity: low
-- risk: It is unknown what the scope allows, and what it will allow once Cloudflare defines it.
-- remediation: Remove the scope.
-- reference: RFC 6749 §3.3
-- requires: scopes

SELECT s.account_id, s.client_id, s.value AS subject, 'not in the scope catalogue' AS detail
FROM oauth_clients__scopes AS s
LEFT JOIN oauth_scopes AS catalogue ON catalogue.id = s.value
WHERE catalogue.id IS NULL AND s.value NOT IN ('openid', 'offline', 'offline_access', 'profile', 'email', 'address', 'phone')
  AND EXISTS (SELECT 1 FROM oauth_scopes)
