-- id: ID-05
-- title: Client name that can be mistaken for another
-- severity: medium, low
-- risk: Users may authorise the client because they mistake it for something they trust.
-- remediation: Rename one of the clients; delete a client that has no known owner. The severity is low if clients in several accounts have exactly the same name and one of them is public; waive those that you have rolled out yourself.
-- reference: RFC 7591 §5
-- requires: client_name

SELECT named.account_id, named.client_id, named.client_name AS subject,
  CASE WHEN named.spellings > 1 THEN 'looks like the name of another client'
       WHEN named.is_cloudflare THEN 'contains or resembles the name Cloudflare'
       ELSE 'clients in ' || CAST(named.accounts AS VARCHAR) || ' accounts have this name' END AS detail,
  CASE WHEN named.spellings > 1 OR named.is_cloudflare THEN 'medium' ELSE 'low' END AS severity
FROM (
  SELECT c.account_id, c.client_id, c.client_name, alike.spellings, alike.accounts, alike.has_public,
    c.client_name_skeleton LIKE '%cloudflare%' OR c.client_name_skeleton LIKE '%cloudfare%'
      OR c.client_name_skeleton LIKE '%cloudflalr%' OR c.client_name_skeleton LIKE '%clouflare%' AS is_cloudflare
  FROM oauth_clients AS c
  JOIN (
    SELECT client_name_skeleton, COUNT(DISTINCT client_name) AS spellings, COUNT(DISTINCT account_id) AS accounts,
      MAX(CASE WHEN visibility = 'public' THEN 1 ELSE 0 END) = 1 AS has_public
    FROM oauth_clients
    WHERE client_name_skeleton IS NOT NULL
    GROUP BY client_name_skeleton
  ) AS alike ON alike.client_name_skeleton = c.client_name_skeleton
) AS named
-- Private clients of one name are met by the members of their own accounts alone.
WHERE named.spellings > 1 OR (named.accounts > 1 AND named.has_public) OR named.is_cloudflare
