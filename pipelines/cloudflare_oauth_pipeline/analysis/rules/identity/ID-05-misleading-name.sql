-- id: ID-05
-- title: Client name that can be mistaken for another
-- severity: medium
-- risk: Users may authorise the client because they mistake it for something they trust.
-- remediation: Rename one of the clients; delete a client that has no known owner.
-- reference: RFC 7591 §5
-- requires: client_name

SELECT c.account_id, c.client_id, c.client_name AS subject,
  CASE WHEN alike.spellings IS NULL THEN 'contains or resembles the name Cloudflare' ELSE 'looks like the name of another client' END AS detail
FROM oauth_clients AS c
LEFT JOIN (
  SELECT client_name_skeleton, COUNT(DISTINCT client_name) AS spellings
  FROM oauth_clients
  WHERE client_name_skeleton IS NOT NULL
  GROUP BY client_name_skeleton
  HAVING COUNT(DISTINCT client_name) > 1
) AS alike ON alike.client_name_skeleton = c.client_name_skeleton
WHERE alike.spellings IS NOT NULL
   OR REPLACE(c.client_name_skeleton, '-', '') LIKE '%cloudflare%'
   OR REPLACE(c.client_name_skeleton, '-', '') LIKE '%cloudfare%'
   OR REPLACE(c.client_name_skeleton, '-', '') LIKE '%cloudflalr%'
   OR REPLACE(c.client_name_skeleton, '-', '') LIKE '%clouflare%'
