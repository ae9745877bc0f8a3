-- id: DR-02
-- title: Redirect URI on a new domain
-- severity: high
-- risk: Authorization codes can now be sent to a domain that did not receive them before.
-- remediation: Find out who owns the domain; remove the redirect URI if the domain does not belong to the client.
-- reference: RFC 9700 §4.1
-- requires: redirect_uris

SELECT l.account_id, l.client_id, l.redirect_domains_added AS subject, 'first seen ' || CAST(CAST(l.observed_at AT TIME ZONE 'UTC' AS DATE) AS VARCHAR) AS detail
FROM oauth_client_changes AS l
JOIN oauth_clients AS c ON c.account_id = l.account_id AND c.client_id = l.client_id
WHERE l.redirect_domains_added IS NOT NULL AND l.content_hash = c.content_hash
  AND NOT EXISTS (SELECT 1 FROM oauth_client_changes AS later WHERE later.previous_change_id = l.change_id)
