-- id: RT-01
-- title: Access token in the redirect
-- severity: high
-- why: A token in a URL ends in histories, logs and referrers, and cannot be bound to the client.
-- mend: Use the response type code with PKCE.
-- reference: RFC 9700 §2.1.2
-- needs: response_types

SELECT account_id, client_id, value AS subject, 'response type token' AS detail
FROM oauth_clients__response_types
WHERE value = 'token'
