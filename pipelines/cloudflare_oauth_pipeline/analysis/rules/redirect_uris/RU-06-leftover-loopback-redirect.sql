-- id: RU-06
-- title: Loopback redirect URI left over from development
-- severity: medium
-- risk: Any program on the user's machine can receive the authorization code of a client that runs elsewhere.
-- remediation: Remove the loopback redirect URI, or use a separate client for development.
-- reference: RFC 9700 §2.6
-- requires: redirect_uris, token_endpoint_auth_method

SELECT u.account_id, u.client_id, u.value AS subject,
  CASE WHEN c.token_endpoint_auth_method <> 'none' THEN 'the client is confidential and therefore runs on a server'
       ELSE 'registered next to https redirect URIs, and any Cloudflare user may authorise the client' END AS detail
FROM oauth_clients__redirect_uris AS u
JOIN oauth_clients AS c ON c.account_id = u.account_id AND c.client_id = u.client_id
WHERE u.host_type IN ('loopback', 'localhost')
  AND (c.token_endpoint_auth_method <> 'none'
       OR (c.visibility = 'public' AND EXISTS (
         SELECT 1 FROM oauth_clients__redirect_uris AS other
         WHERE other.account_id = u.account_id AND other.client_id = u.client_id AND other.scheme = 'https'
           AND other.host_type NOT IN ('loopback', 'localhost'))))
