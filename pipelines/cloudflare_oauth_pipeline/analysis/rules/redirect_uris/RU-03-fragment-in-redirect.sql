-- id: RU-03
-- title: Fragment in a redirect URI
-- severity: medium
-- risk: A redirect URI must not have a fragment: it can swallow or leak the authorization response.
-- remediation: Remove the # and everything after it.
-- reference: RFC 6749 §3.1.2
-- requires: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'contains a fragment' AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.has_fragment
