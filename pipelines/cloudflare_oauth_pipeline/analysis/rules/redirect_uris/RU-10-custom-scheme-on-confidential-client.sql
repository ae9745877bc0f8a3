-- id: RU-10
-- title: Custom URI scheme on a confidential client
-- severity: medium
-- risk: An installed app cannot keep a secret: anyone who has the app can extract it.
-- remediation: Register the app as a public client (authentication method none) with PKCE, separate from the server's client.
-- reference: RFC 8252 §8.5
-- requires: redirect_uris, token_endpoint_auth_method

SELECT u.account_id, u.client_id, u.value AS subject, 'scheme ' || u.scheme || ', token endpoint authentication method: ' || c.token_endpoint_auth_method AS detail
FROM oauth_clients__redirect_uris AS u
JOIN oauth_clients AS c ON c.account_id = u.account_id AND c.client_id = u.client_id
WHERE NOT COALESCE(u.is_out_of_band, FALSE)
  AND u.scheme NOT IN ('http', 'https', 'javascript', 'data', 'file', 'blob', 'vbscript') AND c.token_endpoint_auth_method <> 'none'
