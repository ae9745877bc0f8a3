-- id: ID-04
-- title: Shown address over unencrypted http
-- severity: low
-- why: Whoever is on the network path decides what people see of the client.
-- mend: Use https.
-- reference: RFC 7591 §5
-- needs: client_uri | logo_uri | policy_uri | tos_uri

SELECT shown.account_id, shown.client_id, shown.uri AS subject, shown.field AS detail
FROM (
  SELECT account_id, client_id, 'client_uri' AS field, client_uri AS uri FROM oauth_clients
  UNION ALL SELECT account_id, client_id, 'logo_uri', logo_uri FROM oauth_clients
  UNION ALL SELECT account_id, client_id, 'policy_uri', policy_uri FROM oauth_clients
  UNION ALL SELECT account_id, client_id, 'tos_uri', tos_uri FROM oauth_clients
) AS shown
WHERE LOWER(shown.uri) LIKE 'http:%'
