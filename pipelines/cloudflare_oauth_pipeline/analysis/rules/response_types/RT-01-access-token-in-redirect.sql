-- id: RT-01
-- title: Access token in the redirect (implicit grant)
-- severity: high
-- risk: An access token in a URL leaks through browser history, logs and Referer headers, and cannot be bound to the client.
-- remediation: Use the response type code with PKCE.
-- reference: RFC 9700 §2.1.2
-- requires: response_types

SELECT account_id, client_id, value AS subject, 'response type ' || value AS detail
FROM oauth_clients__response_types
WHERE ' ' || value || ' ' LIKE '% token %'
