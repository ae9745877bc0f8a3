-- id: SC-02
-- title: Scope that the catalogue does not have
-- severity: low
-- why: Nobody can say what it allows, or will allow once it exists.
-- mend: Remove it.
-- reference: RFC 6749 §3.3
-- needs: scopes

SELECT s.account_id, s.client_id, s.value AS subject, 'not in the catalogue' AS detail
FROM oauth_clients__scopes AS s
LEFT JOIN oauth_scopes AS catalogue ON catalogue.id = s.value
WHERE catalogue.id IS NULL AND s.value NOT IN ('openid', 'offline_access', 'profile', 'email')
  AND EXISTS (SELECT 1 FROM oauth_scopes)
