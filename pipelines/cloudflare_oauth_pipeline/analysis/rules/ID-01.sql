-- id: ID-01
-- title: Public client of an unverified domain
-- severity: high
-- why: Anyone may authorise it, and nobody has proven who it is.
-- mend: Verify the domain of client_uri; until then, authorise it nowhere.
-- reference: RFC 7591 §5
-- needs: visibility, client_uri_verification__status

SELECT account_id, client_id, COALESCE(client_uri, client_id) AS subject,
  'verification ' || client_uri_verification__status AS detail
FROM oauth_clients
WHERE visibility = 'public' AND client_uri_verification__status <> 'verified'
