-- id: RT-03
-- title: Grant types and response types that do not match
-- severity: medium
-- risk: The combination cannot be used as it stands, and a later change can enable a flow by accident.
-- remediation: Pair the response type code with the grant type authorization_code, and use refresh_token only with both.
-- reference: RFC 7591 §2.1
-- requires: grant_types, response_types

SELECT c.account_id, c.client_id, types.given AS subject,
  CASE WHEN types.code AND NOT types.authorization_code THEN 'response type code without grant type authorization_code'
       WHEN types.authorization_code AND NOT types.code THEN 'grant type authorization_code without response type code'
       ELSE 'grant type refresh_token without a grant type that issues refresh tokens' END AS detail
FROM oauth_clients AS c
JOIN (
  SELECT g.account_id, g.client_id, MIN(g.value) AS given,
    MAX(CASE WHEN g.value = 'authorization_code' THEN 1 ELSE 0 END) = 1 AS authorization_code,
    MAX(CASE WHEN g.value = 'refresh_token' THEN 1 ELSE 0 END) = 1 AS refresh_token,
    MAX(CASE WHEN ' ' || r.value || ' ' LIKE '% code %' THEN 1 ELSE 0 END) = 1 AS code
  FROM oauth_clients__grant_types AS g
  JOIN oauth_clients__response_types AS r ON r.account_id = g.account_id AND r.client_id = g.client_id
  GROUP BY g.account_id, g.client_id
) AS types ON types.account_id = c.account_id AND types.client_id = c.client_id
WHERE types.code <> types.authorization_code OR (types.refresh_token AND NOT types.authorization_code)
