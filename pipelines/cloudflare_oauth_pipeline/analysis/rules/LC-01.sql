-- id: LC-01
-- title: Not updated for a year
-- severity: low
-- why: Nobody may know any more what it is for.
-- mend: Ask its owner; delete it if there is none.
-- reference: RFC 9700 §2.3
-- needs: updated_at

SELECT account_id, client_id, client_id AS subject, 'last updated ' || CAST(CAST(updated_at AT TIME ZONE 'UTC' AS DATE) AS VARCHAR) AS detail
FROM oauth_clients
WHERE updated_at <= CURRENT_TIMESTAMP - INTERVAL '365 days'
