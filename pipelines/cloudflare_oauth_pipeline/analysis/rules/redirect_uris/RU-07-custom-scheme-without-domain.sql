-- id: RU-07
-- title: Custom URI scheme without a domain name
-- severity: medium
-- risk: Any app can claim the same short scheme and receive the authorization code.
-- remediation: Use the reverse of a domain name that you own as the scheme, such as com.example.app.
-- reference: RFC 8252 §7.1
-- requires: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'scheme ' || u.scheme AS detail
FROM oauth_clients__redirect_uris AS u
WHERE NOT COALESCE(u.is_out_of_band, FALSE)
  AND u.scheme NOT IN ('http', 'https', 'javascript', 'data', 'file', 'blob', 'vbscript') AND u.scheme NOT LIKE '%.%'
