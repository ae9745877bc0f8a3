-- id: ID-06
-- title: Public client without a privacy policy or terms of service
-- severity: low
-- risk: Users who authorise the client cannot find out what happens to their data.
-- remediation: Publish both documents, or replace the client with a private one.
-- reference: RFC 7591 §5
-- requires: visibility

SELECT account_id, client_id, client_id AS subject,
  CASE WHEN policy_uri IS NULL AND tos_uri IS NULL THEN 'no policy_uri and no tos_uri'
       WHEN policy_uri IS NULL THEN 'no policy_uri' ELSE 'no tos_uri' END AS detail
FROM oauth_clients
WHERE visibility = 'public' AND (policy_uri IS NULL OR tos_uri IS NULL)
