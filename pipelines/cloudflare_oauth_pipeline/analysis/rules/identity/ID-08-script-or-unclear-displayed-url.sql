-- id: ID-08
-- title: Displayed URL that runs a script or hides its destination
-- severity: medium, high
-- risk: A user who follows the link runs a script or opens a file (severity high), or arrives elsewhere than expected.
-- remediation: Use an https URL with a plain host and without user information.
-- reference: RFC 7591 §5; RFC 3986 §7.6
-- requires: client_uri | logo_uri | policy_uri | tos_uri

SELECT shown.account_id, shown.client_id, shown.uri AS subject,
  shown.field || CASE WHEN shown.scheme IN ('javascript', 'data', 'file', 'blob', 'vbscript') THEN ': scheme ' || shown.scheme
       WHEN shown.has_userinfo THEN ': contains user information'
       WHEN shown.scheme IS NULL THEN ': no scheme' ELSE ': no host, or an ambiguous one' END AS detail,
  CASE WHEN shown.scheme IN ('javascript', 'data', 'file', 'blob', 'vbscript') THEN 'high' ELSE 'medium' END AS severity
FROM (
  SELECT account_id, client_id, 'client_uri' AS field, client_uri AS uri, client_domain AS domain,
    client_uri_scheme AS scheme, client_uri_has_userinfo AS has_userinfo FROM oauth_clients
  UNION ALL SELECT account_id, client_id, 'logo_uri', logo_uri, logo_domain,
    logo_uri_scheme, logo_uri_has_userinfo FROM oauth_clients
  UNION ALL SELECT account_id, client_id, 'policy_uri', policy_uri, policy_domain,
    policy_uri_scheme, policy_uri_has_userinfo FROM oauth_clients
  UNION ALL SELECT account_id, client_id, 'tos_uri', tos_uri, tos_domain,
    tos_uri_scheme, tos_uri_has_userinfo FROM oauth_clients
) AS shown
-- Null if the URL is blank, or was loaded before this rule: no verdict.
WHERE shown.has_userinfo IS NOT NULL
  AND (shown.scheme IN ('javascript', 'data', 'file', 'blob', 'vbscript') OR shown.has_userinfo OR shown.scheme IS NULL
       OR (shown.scheme IN ('http', 'https') AND shown.domain IS NULL))
