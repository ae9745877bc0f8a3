-- id: AU-01
-- title: Refresh tokens without client authentication
-- severity: medium
-- risk: A stolen refresh token works without client credentials for as long as it is valid.
-- remediation: Require client authentication; otherwise use sender-constrained refresh tokens or refresh token rotation.
-- reference: RFC 9700 §2.2.2, §4.14
-- requires: token_endpoint_auth_method, grant_types

SELECT c.account_id, c.client_id, g.value AS subject, 'token endpoint authentication method: none' AS detail
FROM oauth_clients AS c
JOIN oauth_clients__grant_types AS g ON g.account_id = c.account_id AND g.client_id = c.client_id
WHERE c.token_endpoint_auth_method = 'none' AND g.value = 'refresh_token'
