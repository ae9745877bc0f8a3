-- id: DR-01
-- title: Write scope added
-- severity: high
-- risk: The client can now change something in the account that it could not change before.
-- remediation: Find out who added the scope and why; remove it if it is not needed.
-- reference: RFC 9700 §2.3
-- requires: scopes

SELECT l.account_id, l.client_id, l.write_scopes_added AS subject, 'first seen ' || CAST(CAST(l.observed_at AT TIME ZONE 'UTC' AS DATE) AS VARCHAR) AS detail
FROM oauth_client_changes AS l
JOIN oauth_clients AS c ON c.account_id = l.account_id AND c.client_id = l.client_id
WHERE l.write_scopes_added IS NOT NULL AND l.content_hash = c.content_hash
  AND NOT EXISTS (SELECT 1 FROM oauth_client_changes AS later WHERE later.previous_change_id = l.change_id)
