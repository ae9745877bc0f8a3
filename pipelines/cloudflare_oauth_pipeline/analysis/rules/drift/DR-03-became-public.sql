-- id: DR-03
-- title: Client made public
-- severity: medium
-- risk: Any Cloudflare user may now authorise the client, and the change cannot be undone.
-- remediation: If the change was a mistake, replace the client with a private one.
-- reference: RFC 9700 §2.3
-- requires: visibility

SELECT l.account_id, l.client_id, 'visibility' AS subject, 'first seen ' || CAST(CAST(l.observed_at AT TIME ZONE 'UTC' AS DATE) AS VARCHAR) AS detail
FROM oauth_client_changes AS l
JOIN oauth_clients AS c ON c.account_id = l.account_id AND c.client_id = l.client_id
WHERE l.became_public AND l.content_hash = c.content_hash
  AND NOT EXISTS (SELECT 1 FROM oauth_client_changes AS later WHERE later.previous_change_id = l.change_id)
