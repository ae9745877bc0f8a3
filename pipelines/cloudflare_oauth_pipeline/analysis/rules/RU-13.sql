-- id: RU-13
-- title: Redirects on several domains
-- severity: low
-- why: Each domain is one more that can lose the codes of all; mix-ups are hard to notice.
-- mend: Give each domain a client of its own.
-- reference: RFC 9700 §4.1
-- needs: redirect_uris

SELECT account_id, client_id, MIN(registrable_domain) AS subject,
  CAST(COUNT(DISTINCT registrable_domain) AS VARCHAR) || ' domains, the last ' || MAX(registrable_domain)
    AS detail
FROM oauth_clients__redirect_uris
GROUP BY account_id, client_id
HAVING COUNT(DISTINCT registrable_domain) > 1
