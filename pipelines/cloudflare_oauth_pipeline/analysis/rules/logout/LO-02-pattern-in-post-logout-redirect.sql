-- id: LO-02
-- title: Pattern in a post-logout redirect URI
-- severity: medium
-- risk: A pattern turns Cloudflare's own logout page into an open redirector.
-- remediation: Register every post-logout redirect URI in full.
-- reference: OIDC RP-Initiated Logout 1.0 §3.1
-- requires: post_logout_redirect_uris

SELECT account_id, client_id, value AS subject, 'contains a wildcard or pattern' AS detail
FROM oauth_clients__post_logout_redirect_uris
WHERE has_pattern
  AND COALESCE(scheme, '') NOT IN ('javascript', 'data', 'file', 'blob', 'vbscript')
