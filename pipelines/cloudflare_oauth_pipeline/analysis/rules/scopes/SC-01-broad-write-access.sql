-- id: SC-01
-- title: Write access that is too broad
-- severity: high
-- risk: One stolen token gives access to everything at once.
-- remediation: Split the client by task and remove unused scopes: it has write scopes in more than three categories of the scope catalogue, or in Account & Billing.
-- reference: RFC 9700 §2.3
-- requires: scopes

SELECT s.account_id, s.client_id, MIN(catalogue.category) AS subject,
  'categories: ' || CAST(COUNT(DISTINCT catalogue.slug) AS VARCHAR)
    || ', write scopes: ' || CAST(COUNT(DISTINCT s.value) AS VARCHAR) AS detail
FROM oauth_clients__scopes AS s
JOIN (
  -- The same category comes as a label (Account & Billing) or as a slug (account_and_billing).
  SELECT id, category, REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(
    LOWER(category), '&', ''), 'and', ''), ' ', ''), '_', ''), '-', '') AS slug
  FROM oauth_scopes
) AS catalogue ON catalogue.id = s.value
WHERE s.writes
GROUP BY s.account_id, s.client_id
HAVING COUNT(DISTINCT catalogue.slug) > 3
    OR MAX(CASE WHEN catalogue.slug = 'accountbilling' THEN 1 ELSE 0 END) = 1
