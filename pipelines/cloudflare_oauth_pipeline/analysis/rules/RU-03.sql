-- id: RU-03
-- title: Fragment in a redirect
-- severity: medium
-- why: A fragment is not allowed in a redirect URI and may swallow or leak the answer.
-- mend: Remove everything from # on.
-- reference: RFC 6749 §3.1.2
-- needs: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'it has a fragment' AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.has_fragment
