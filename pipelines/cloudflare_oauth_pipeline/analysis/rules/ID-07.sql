-- id: ID-07
-- title: Trial client with real power
-- severity: medium
-- why: What was made to try something out is watched by nobody.
-- mend: Delete it, or give it a name and an owner.
-- reference: RFC 9700 §2.3
-- needs: client_name

SELECT c.account_id, c.client_id, c.client_name AS subject,
  CASE WHEN c.visibility = 'public' THEN 'anyone may authorise it' ELSE 'it has scopes that write' END AS detail
FROM oauth_clients AS c
WHERE REGEXP_MATCHES(LOWER(c.client_name), '(^|[^a-z])(test|testing|dev|demo|trial|sandbox|playground|tmp)([^a-z]|$)')
  AND (c.visibility = 'public'
       OR EXISTS (
         SELECT 1 FROM oauth_clients__scopes AS s
         WHERE s.account_id = c.account_id AND s.client_id = c.client_id AND s.writes))
