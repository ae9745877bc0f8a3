-- id: ID-06
-- title: Public client without policy or terms
-- severity: low
-- why: Whoever authorises it does not learn what becomes of the data.
-- mend: Publish both, or make the client private again by replacing it.
-- reference: RFC 7591 §5
-- needs: visibility

SELECT account_id, client_id, client_id AS subject,
  CASE WHEN policy_uri IS NULL AND tos_uri IS NULL THEN 'no policy_uri and no tos_uri'
       WHEN policy_uri IS NULL THEN 'no policy_uri' ELSE 'no tos_uri' END AS detail
FROM oauth_clients
WHERE visibility = 'public' AND (policy_uri IS NULL OR tos_uri IS NULL)
