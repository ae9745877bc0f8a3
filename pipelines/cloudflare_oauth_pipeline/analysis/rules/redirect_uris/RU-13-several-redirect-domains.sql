-- id: RU-13
-- title: Redirect URIs on several domains
-- severity: low
-- risk: The compromise of one domain can expose the authorization codes of all of them, and mix-ups are hard to notice.
-- remediation: Use a separate client for each domain.
-- reference: RFC 9700 §4.1
-- requires: redirect_uris

SELECT account_id, client_id, MIN(registrable_domain) AS subject,
  CAST(COUNT(DISTINCT registrable_domain) AS VARCHAR) || ' domains, including ' || MAX(registrable_domain)
    AS detail
FROM oauth_clients__redirect_uris
GROUP BY account_id, client_id
HAVING COUNT(DISTINCT registrable_domain) > 1
