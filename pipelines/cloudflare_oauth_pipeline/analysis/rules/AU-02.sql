-- id: AU-02
-- title: Power to write without client authentication
-- severity: high, critical
-- why: Anyone can pose as the client and, with a stolen code, change your account. Critical if any Cloudflare user may authorise it.
-- mend: Authenticate the client, or take the scopes that write away from it.
-- reference: RFC 9700 §2.5
-- needs: token_endpoint_auth_method, scopes

SELECT c.account_id, c.client_id, s.value AS subject,
  CASE WHEN c.visibility = 'public' THEN 'no authentication, and anyone may authorise it'
       ELSE 'no authentication' END AS detail,
  CASE WHEN c.visibility = 'public' THEN 'critical' ELSE 'high' END AS severity
FROM oauth_clients AS c
JOIN oauth_clients__scopes AS s ON s.account_id = c.account_id AND s.client_id = c.client_id
WHERE c.token_endpoint_auth_method = 'none' AND s.writes
