-- id: SE-02
-- title: No rotation of the client secret observed
-- severity: low, medium
-- risk: The longer a secret is in use, the more copies of it exist.
-- remediation: Rotate the secret. The severity is low after 180 days without a rotation and medium after 365.
-- reference: NIST SP 800-57 Part 1 §5.3
-- requires: token_endpoint_auth_method, created_at

SELECT rotated.account_id, rotated.client_id, 'secret' AS subject,
  'no rotation observed since ' || CAST(CAST(rotated.last_at AT TIME ZONE 'UTC' AS DATE) AS VARCHAR) AS detail,
  CASE WHEN rotated.last_at <= CURRENT_TIMESTAMP - INTERVAL '365 days' THEN 'medium' ELSE 'low' END AS severity
FROM (
  SELECT c.account_id, c.client_id, GREATEST(c.created_at, COALESCE(MAX(l.observed_at), c.created_at)) AS last_at
  FROM oauth_clients AS c
  LEFT JOIN oauth_client_changes AS l
    ON l.account_id = c.account_id AND l.client_id = c.client_id AND l.has_rotated_secret
    AND l.observed_at <= CURRENT_TIMESTAMP
  WHERE c.token_endpoint_auth_method <> 'none' AND c.created_at IS NOT NULL
  GROUP BY c.account_id, c.client_id, c.created_at
) AS rotated
WHERE rotated.last_at <= CURRENT_TIMESTAMP - INTERVAL '180 days'
