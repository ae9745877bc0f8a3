-- id: ID-01
-- title: Public client with an unverified domain
-- severity: high
-- risk: Any Cloudflare user may authorise the client, but its owner has not proven control of the domain of client_uri.
-- remediation: Verify the domain of client_uri; do not authorise the client until then.
-- reference: RFC 7591 §5
-- requires: visibility

SELECT account_id, client_id, COALESCE(client_uri, client_id) AS subject,
  'domain verification: ' || COALESCE(client_uri_verification__status, 'never begun') AS detail
FROM oauth_clients
WHERE visibility = 'public' AND COALESCE(client_uri_verification__status, '') <> 'verified'
