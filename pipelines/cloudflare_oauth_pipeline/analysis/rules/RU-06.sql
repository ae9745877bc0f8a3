-- id: RU-06
-- title: Loopback redirect left over from development
-- severity: medium
-- why: Any program on the machine of whoever signs in can receive the code of a client that runs elsewhere.
-- mend: Remove the loopback redirect, or give development a client of its own.
-- reference: RFC 9700 §2.6
-- needs: redirect_uris, token_endpoint_auth_method

SELECT u.account_id, u.client_id, u.value AS subject,
  CASE WHEN c.token_endpoint_auth_method <> 'none' THEN 'the client is confidential, so it runs on a server'
       ELSE 'beside https redirects, and anyone may authorise the client' END AS detail
FROM oauth_clients__redirect_uris AS u
JOIN oauth_clients AS c ON c.account_id = u.account_id AND c.client_id = u.client_id
WHERE u.host_type IN ('loopback', 'localhost')
  AND (c.token_endpoint_auth_method <> 'none'
       OR (c.visibility = 'public' AND EXISTS (
         SELECT 1 FROM oauth_clients__redirect_uris AS other
         WHERE other.account_id = u.account_id AND other.client_id = u.client_id AND other.scheme = 'https'
           AND other.host_type NOT IN ('loopback', 'localhost'))))
