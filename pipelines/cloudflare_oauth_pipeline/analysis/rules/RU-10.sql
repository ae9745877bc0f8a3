-- id: RU-10
-- title: Custom scheme on a confidential client
-- severity: medium
-- why: An app on a device keeps no secret: it is in the hands of everyone who has the app.
-- mend: Make the app a public client (authentication method none) with PKCE, apart from the server's.
-- reference: RFC 8252 §8.5
-- needs: redirect_uris, token_endpoint_auth_method

SELECT u.account_id, u.client_id, u.value AS subject, 'scheme ' || u.scheme || ', ' || c.token_endpoint_auth_method AS detail
FROM oauth_clients__redirect_uris AS u
JOIN oauth_clients AS c ON c.account_id = u.account_id AND c.client_id = u.client_id
WHERE u.scheme NOT IN ('http', 'https', 'javascript', 'data', 'file', 'blob', 'vbscript') AND c.token_endpoint_auth_method <> 'none'
