-- id: RU-09
-- title: Redirect that runs or reads in place
-- severity: critical
-- why: Such a URI runs as a script or reads a file where the answer belongs.
-- mend: Remove it.
-- reference: RFC 9700 §2.1
-- needs: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'scheme ' || u.scheme AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.scheme IN ('javascript', 'data', 'file', 'blob', 'vbscript')
