-- id: CO-03
-- title: CORS origin on a confidential client
-- severity: low
-- why: A client that calls from a browser may have its secret in the browser.
-- mend: Make the client in the browser a public one, with PKCE and no secret.
-- reference: OAuth 2.1 §2.1
-- needs: allowed_cors_origins, token_endpoint_auth_method

SELECT o.account_id, o.client_id, o.value AS subject, c.token_endpoint_auth_method AS detail
FROM oauth_clients__allowed_cors_origins AS o
JOIN oauth_clients AS c ON c.account_id = o.account_id AND c.client_id = o.client_id
WHERE o.value IS NOT NULL AND c.token_endpoint_auth_method <> 'none'
