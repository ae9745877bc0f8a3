-- id: AU-02
-- title: Write scope without client authentication
-- severity: high, critical
-- risk: Anyone can impersonate the client and use a stolen authorization code to change the account. Critical if any Cloudflare user may authorise the client.
-- remediation: Require client authentication, or remove the client's write scopes.
-- reference: RFC 9700 §2.5
-- requires: token_endpoint_auth_method, scopes

SELECT c.account_id, c.client_id, s.value AS subject,
  CASE WHEN c.visibility = 'public' THEN 'no client authentication, and any Cloudflare user may authorise the client'
       ELSE 'no client authentication' END AS detail,
  CASE WHEN c.visibility = 'public' THEN 'critical' ELSE 'high' END AS severity
FROM oauth_clients AS c
JOIN oauth_clients__scopes AS s ON s.account_id = c.account_id AND s.client_id = c.client_id
WHERE c.token_endpoint_auth_method = 'none' AND s.writes
