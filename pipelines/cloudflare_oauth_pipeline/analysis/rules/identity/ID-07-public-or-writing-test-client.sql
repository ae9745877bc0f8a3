-- id: ID-07
-- title: Test client that is public or has write scopes
-- severity: medium
-- risk: Test clients are rarely monitored, yet this one can be authorised by any Cloudflare user or can change the account.
-- remediation: Delete the client, or give it a descriptive name and an owner.
-- reference: RFC 9700 §2.3
-- requires: client_name

SELECT c.account_id, c.client_id, c.client_name AS subject,
  CASE WHEN c.visibility = 'public' THEN 'any Cloudflare user may authorise the client' ELSE 'the client has write scopes' END AS detail
FROM oauth_clients AS c
WHERE REGEXP_MATCHES(LOWER(c.client_name), '(^|[^a-z])(test|testing|dev|demo|trial|sandbox|playground|tmp)([^a-z]|$)')
  AND (c.visibility = 'public'
       OR EXISTS (
         SELECT 1 FROM oauth_clients__scopes AS s
         WHERE s.account_id = c.account_id AND s.client_id = c.client_id AND s.writes))
