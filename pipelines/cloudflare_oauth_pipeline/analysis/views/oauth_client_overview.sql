-- row: Each row is a client that currently exists, with its account's name, counts and worst severity.
-- account_id: Id of the account.
-- account_name: Name of the account.
-- client_id: Id of the client.
-- client_name: Name of the client.
-- visibility: `public` (any Cloudflare user may authorise the client) or `private`.
-- token_endpoint_auth_method: How the client authenticates at the token endpoint.
-- verification_status: Status of the domain verification of `client_uri`.
-- redirect_uri_count: Number of elements in `redirect_uris`.
-- scope_count: Number of elements in `scopes`.
-- optional_scope_count: Number of elements in `optional_scopes`.
-- grant_type_count: Number of elements in `grant_types`.
-- response_type_count: Number of elements in `response_types`.
-- allowed_cors_origin_count: Number of elements in `allowed_cors_origins`.
-- post_logout_redirect_uri_count: Number of elements in `post_logout_redirect_uris`.
-- write_scope_count: Number of scopes that let the client change something.
-- finding_count: Number of findings that are not waived.
-- worst_severity: Highest severity of those findings; null if there are none.
-- created_at: When the client was created.
-- updated_at: When the client was last updated.

SELECT
  c.account_id,
  a.name AS account_name,
  c.client_id,
  c.client_name,
  c.visibility,
  c.token_endpoint_auth_method,
  c.client_uri_verification__status AS verification_status,
  COALESCE(redirect_uris.elements, 0) AS redirect_uri_count,
  COALESCE(scopes.elements, 0) AS scope_count,
  COALESCE(optional_scopes.elements, 0) AS optional_scope_count,
  COALESCE(grant_types.elements, 0) AS grant_type_count,
  COALESCE(response_types.elements, 0) AS response_type_count,
  COALESCE(allowed_cors_origins.elements, 0) AS allowed_cors_origin_count,
  COALESCE(post_logout_redirect_uris.elements, 0) AS post_logout_redirect_uri_count,
  COALESCE(scopes.writing, 0) AS write_scope_count,
  COALESCE(findings.findings, 0) AS finding_count,
  CASE findings.worst WHEN 4 THEN 'critical' WHEN 3 THEN 'high' WHEN 2 THEN 'medium' WHEN 1 THEN 'low' END
    AS worst_severity,
  c.created_at,
  c.updated_at
FROM oauth_clients AS c
LEFT JOIN accounts AS a ON a.account_id = c.account_id
LEFT JOIN (
  SELECT account_id, client_id, COUNT(*) AS elements
  FROM oauth_clients__redirect_uris GROUP BY account_id, client_id
) AS redirect_uris ON redirect_uris.account_id = c.account_id AND redirect_uris.client_id = c.client_id
LEFT JOIN (
  SELECT account_id, client_id, COUNT(*) AS elements, SUM(CASE WHEN writes THEN 1 ELSE 0 END) AS writing
  FROM oauth_clients__scopes GROUP BY account_id, client_id
) AS scopes ON scopes.account_id = c.account_id AND scopes.client_id = c.client_id
LEFT JOIN (
  SELECT account_id, client_id, COUNT(*) AS elements
  FROM oauth_clients__optional_scopes GROUP BY account_id, client_id
) AS optional_scopes ON optional_scopes.account_id = c.account_id AND optional_scopes.client_id = c.client_id
LEFT JOIN (
  SELECT account_id, client_id, COUNT(*) AS elements
  FROM oauth_clients__grant_types GROUP BY account_id, client_id
) AS grant_types ON grant_types.account_id = c.account_id AND grant_types.client_id = c.client_id
LEFT JOIN (
  SELECT account_id, client_id, COUNT(*) AS elements
  FROM oauth_clients__response_types GROUP BY account_id, client_id
) AS response_types ON response_types.account_id = c.account_id AND response_types.client_id = c.client_id
LEFT JOIN (
  SELECT account_id, client_id, COUNT(*) AS elements
  FROM oauth_clients__allowed_cors_origins GROUP BY account_id, client_id
) AS allowed_cors_origins ON allowed_cors_origins.account_id = c.account_id AND allowed_cors_origins.client_id = c.client_id
LEFT JOIN (
  SELECT account_id, client_id, COUNT(*) AS elements
  FROM oauth_clients__post_logout_redirect_uris GROUP BY account_id, client_id
) AS post_logout_redirect_uris ON post_logout_redirect_uris.account_id = c.account_id AND post_logout_redirect_uris.client_id = c.client_id
LEFT JOIN (
  SELECT
    account_id,
    client_id,
    COUNT(*) AS findings,
    MAX(CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 ELSE 1 END) AS worst
  FROM oauth_client_findings WHERE NOT waived GROUP BY account_id, client_id
) AS findings ON findings.account_id = c.account_id AND findings.client_id = c.client_id
