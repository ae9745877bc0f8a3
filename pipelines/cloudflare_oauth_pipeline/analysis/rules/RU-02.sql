-- id: RU-02
-- title: Pattern in a redirect
-- severity: critical
-- why: A pattern lets an attacker pick the address that receives the authorization code.
-- mend: Register every redirect URI in full.
-- reference: RFC 9700 §2.1, §4.1.1
-- needs: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'a part of it stands for anything' AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.has_pattern
  AND COALESCE(u.scheme, '') NOT IN ('javascript', 'data', 'file', 'blob', 'vbscript')
