-- id: LC-01
-- title: Client not updated for a year
-- severity: low
-- risk: The purpose of the client may no longer be known.
-- remediation: Ask the owner whether the client is still needed; delete it if it has no owner.
-- reference: RFC 9700 §2.3
-- requires: updated_at

SELECT account_id, client_id, client_id AS subject, 'last updated ' || CAST(CAST(updated_at AT TIME ZONE 'UTC' AS DATE) AS VARCHAR) AS detail
FROM oauth_clients
WHERE updated_at <= CURRENT_TIMESTAMP - INTERVAL '365 days'
