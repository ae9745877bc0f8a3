-- id: ID-03
-- title: Displayed URLs on a different domain from the redirect URIs
-- severity: medium
-- risk: Users judge the client by a website that is not where their authorization code is sent.
-- remediation: Use URLs on a domain that receives the redirects, or record the reason for the difference in a waiver.
-- reference: RFC 7591 §5
-- requires: redirect_uris, client_uri | logo_uri | policy_uri | tos_uri

SELECT shown.account_id, shown.client_id, shown.domain AS subject,
  'displayed URLs on this domain: ' || CAST(COUNT(*) AS VARCHAR) || ', for example ' || MIN(shown.uri) AS detail
FROM (
  SELECT account_id, client_id, client_uri AS uri, client_domain AS domain FROM oauth_clients
  UNION ALL SELECT account_id, client_id, logo_uri, logo_domain FROM oauth_clients
  UNION ALL SELECT account_id, client_id, policy_uri, policy_domain FROM oauth_clients
  UNION ALL SELECT account_id, client_id, tos_uri, tos_domain FROM oauth_clients
) AS shown
WHERE shown.domain IS NOT NULL
  AND EXISTS (
    SELECT 1 FROM oauth_clients__redirect_uris AS u
    WHERE u.account_id = shown.account_id AND u.client_id = shown.client_id
      AND u.registrable_domain IS NOT NULL)
  AND NOT EXISTS (
    SELECT 1 FROM oauth_clients__redirect_uris AS u
    WHERE u.account_id = shown.account_id AND u.client_id = shown.client_id
      AND u.registrable_domain = shown.domain)
GROUP BY shown.account_id, shown.client_id, shown.domain
