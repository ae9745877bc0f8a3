-- id: RU-07
-- title: Custom scheme without a dot
-- severity: medium
-- why: Any app can claim a short scheme and receive the code.
-- mend: Use a scheme of a domain you own, in reverse: com.example.app.
-- reference: RFC 8252 §7.1
-- needs: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'scheme ' || u.scheme AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.scheme NOT IN ('http', 'https', 'javascript', 'data', 'file', 'blob', 'vbscript') AND u.scheme NOT LIKE '%.%'
