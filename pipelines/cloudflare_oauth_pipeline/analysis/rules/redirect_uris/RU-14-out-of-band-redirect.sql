-- id: RU-14
-- title: Out-of-band redirect
-- severity: high
-- risk: The authorization code is shown to the user for copying by hand, and an attacker who started the flow can talk the user into handing it over.
-- remediation: Use a loopback address, an https URI that the app has claimed, or a custom scheme in reverse domain name notation.
-- reference: Google, Out-Of-Band (OOB) flow Migration Guide; RFC 8252 §7
-- requires: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'the authorization code is shown to the user' AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.is_out_of_band
