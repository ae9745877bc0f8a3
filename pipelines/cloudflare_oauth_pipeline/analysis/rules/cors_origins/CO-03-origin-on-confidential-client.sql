-- id: CO-03
-- title: CORS origin on a confidential client
-- severity: low
-- risk: A client that calls the token endpoint from a browser may expose its secret there.
-- remediation: Use a separate public client with PKCE and no secret for the browser.
-- reference: OAuth 2.1 §2.1
-- requires: allowed_cors_origins, token_endpoint_auth_method

SELECT o.account_id, o.client_id, o.value AS subject, 'token endpoint authentication method: ' || c.token_endpoint_auth_method AS detail
FROM oauth_clients__allowed_cors_origins AS o
JOIN oauth_clients AS c ON c.account_id = o.account_id AND c.client_id = o.client_id
WHERE o.value IS NOT NULL AND c.token_endpoint_auth_method <> 'none'
