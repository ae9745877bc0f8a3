-- id: DR-01
-- title: Power to write added
-- severity: high
-- why: A client that could only look can now change your account.
-- mend: Find out who added it and why; take it away otherwise.
-- reference: RFC 9700 §2.3
-- needs: scopes

SELECT l.account_id, l.client_id, l.write_scopes_added AS subject, 'seen ' || CAST(CAST(l.observed_at AT TIME ZONE 'UTC' AS DATE) AS VARCHAR) AS detail
FROM oauth_client_changes AS l
JOIN oauth_clients AS c ON c.account_id = l.account_id AND c.client_id = l.client_id
WHERE l.write_scopes_added IS NOT NULL AND l.content_hash = c.content_hash
  AND NOT EXISTS (SELECT 1 FROM oauth_client_changes AS later WHERE later.previous_change_id = l.change_id)
