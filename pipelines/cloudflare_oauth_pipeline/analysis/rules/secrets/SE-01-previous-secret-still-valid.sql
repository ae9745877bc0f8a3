-- id: SE-01
-- title: Previous client secret still valid
-- severity: medium, high, critical
-- risk: An unfinished rotation leaves two valid secrets that can leak, and the previous one is probably known too widely.
-- remediation: Delete the previous secret as soon as nothing uses it. The severity is medium after 7 days, high after 30 and critical after 90.
-- reference: NIST SP 800-57 Part 1 §5.3
-- requires: has_rotated_secret

SELECT c.account_id, c.client_id, 'previous secret' AS subject,
  'valid since at least ' || CAST(CAST(since.first_seen AT TIME ZONE 'UTC' AS DATE) AS VARCHAR) AS detail,
  CASE WHEN since.first_seen <= CURRENT_TIMESTAMP - INTERVAL '90 days' THEN 'critical'
       WHEN since.first_seen <= CURRENT_TIMESTAMP - INTERVAL '30 days' THEN 'high'
       ELSE 'medium' END AS severity
FROM oauth_clients AS c
JOIN (
  WITH RECURSIVE rotated AS (
    SELECT l.account_id, l.client_id, l.previous_change_id, l.observed_at
    FROM oauth_client_changes AS l
    WHERE l.has_rotated_secret
      AND NOT EXISTS (SELECT 1 FROM oauth_client_changes AS later WHERE later.previous_change_id = l.change_id)
    UNION ALL
    SELECT l.account_id, l.client_id, l.previous_change_id, l.observed_at
    FROM rotated
    JOIN oauth_client_changes AS l ON l.change_id = rotated.previous_change_id
    WHERE l.has_rotated_secret
  )
  SELECT account_id, client_id, MIN(observed_at) AS first_seen FROM rotated GROUP BY account_id, client_id
) AS since ON since.account_id = c.account_id AND since.client_id = c.client_id
WHERE c.has_rotated_secret AND since.first_seen <= CURRENT_TIMESTAMP - INTERVAL '7 days'
