-- id: ID-02
-- title: Domain verification failed or stalled
-- severity: low
-- risk: Either the verification was abandoned, or the client's owner does not control the domain.
-- remediation: Publish the TXT record, or remove client_uri.
-- reference: RFC 7591 §5
-- requires: client_uri_verification__status, client_uri

SELECT account_id, client_id, client_uri AS subject,
  'domain verification: ' || client_uri_verification__status AS detail
FROM oauth_clients
WHERE client_uri IS NOT NULL
  AND (client_uri_verification__status = 'failed'
       OR (client_uri_verification__status IN ('pending', 'in_progress')
           AND COALESCE(updated_at, created_at) <= CURRENT_TIMESTAMP - INTERVAL '2 days'))
