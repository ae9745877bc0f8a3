-- id: SC-01
-- title: More power than one client should have
-- severity: high
-- why: One stolen token reaches everything at once.
-- mend: Split the client by task, and take away what is not used: it writes in more than three categories of the catalogue, or in Account & Billing.
-- reference: RFC 9700 §2.3
-- needs: scopes

SELECT s.account_id, s.client_id, MIN(catalogue.category) AS subject,
  'categories: ' || CAST(COUNT(DISTINCT catalogue.category) AS VARCHAR)
    || ', scopes that write: ' || CAST(COUNT(DISTINCT s.value) AS VARCHAR) AS detail
FROM oauth_clients__scopes AS s
JOIN oauth_scopes AS catalogue ON catalogue.id = s.value
WHERE s.writes
GROUP BY s.account_id, s.client_id
HAVING COUNT(DISTINCT catalogue.category) > 3
    OR MAX(CASE WHEN catalogue.category = 'Account & Billing' THEN 1 ELSE 0 END) = 1
