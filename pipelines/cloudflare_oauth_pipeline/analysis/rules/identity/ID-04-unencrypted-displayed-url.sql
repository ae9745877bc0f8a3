-- id: ID-04
-- title: Displayed URL over unencrypted HTTP
-- severity: low
-- risk: An attacker on the network path can change what users see of the client.
-- remediation: Use an https URL.
-- reference: RFC 7591 §5
-- requires: client_uri | logo_uri | policy_uri | tos_uri

SELECT shown.account_id, shown.client_id, shown.uri AS subject, shown.field AS detail
FROM (
  SELECT account_id, client_id, 'client_uri' AS field, client_uri AS uri, client_uri_scheme AS scheme FROM oauth_clients
  UNION ALL SELECT account_id, client_id, 'logo_uri', logo_uri, logo_uri_scheme FROM oauth_clients
  UNION ALL SELECT account_id, client_id, 'policy_uri', policy_uri, policy_uri_scheme FROM oauth_clients
  UNION ALL SELECT account_id, client_id, 'tos_uri', tos_uri, tos_uri_scheme FROM oauth_clients
) AS shown
WHERE shown.scheme = 'http' OR LOWER(shown.uri) LIKE 'http:%'
