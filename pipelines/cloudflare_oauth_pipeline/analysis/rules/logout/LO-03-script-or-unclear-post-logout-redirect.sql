-- id: LO-03
-- title: Post-logout redirect URI that runs a script or hides its destination
-- severity: medium, high
-- risk: Such a URI runs a script or opens a file (severity high), or leads elsewhere than it seems to.
-- remediation: Register an absolute URI with a plain host and without user information.
-- reference: OIDC RP-Initiated Logout 1.0 §3.1; RFC 3986 §7.6
-- requires: post_logout_redirect_uris

SELECT account_id, client_id, value AS subject,
  CASE WHEN scheme IN ('javascript', 'data', 'file', 'blob', 'vbscript') THEN 'scheme ' || scheme
       WHEN has_userinfo THEN 'contains user information; the host is ' || COALESCE(host, 'unclear')
       WHEN scheme IS NULL THEN 'no scheme' ELSE 'no host, or an ambiguous one' END AS detail,
  CASE WHEN scheme IN ('javascript', 'data', 'file', 'blob', 'vbscript') THEN 'high' ELSE 'medium' END AS severity
FROM oauth_clients__post_logout_redirect_uris
WHERE value IS NOT NULL
  AND (scheme IN ('javascript', 'data', 'file', 'blob', 'vbscript') OR has_userinfo OR scheme IS NULL
       OR (scheme IN ('http', 'https') AND host IS NULL))
