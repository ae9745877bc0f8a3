-- id: RU-04
-- title: Redirect URI without a scheme or a reliable host
-- severity: medium
-- risk: The destination of the authorization code depends on which program completes or repairs the URI.
-- remediation: Register an absolute URI with a scheme and, for http and https, a plain host and port.
-- reference: OAuth 2.1 §2.3
-- requires: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, CASE WHEN u.scheme IS NULL THEN 'no scheme' ELSE 'no host, or an ambiguous one' END AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.value IS NOT NULL AND NOT COALESCE(u.is_out_of_band, FALSE)
  AND (u.scheme IS NULL OR (u.scheme IN ('http', 'https') AND u.host IS NULL))
