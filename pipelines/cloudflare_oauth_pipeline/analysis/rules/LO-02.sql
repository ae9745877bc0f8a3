-- id: LO-02
-- title: Pattern in a post-logout redirect
-- severity: medium
-- why: It is an open redirector in Cloudflare's name.
-- mend: Register every URI in full.
-- reference: OIDC RP-Initiated Logout 1.0 §3.1
-- needs: post_logout_redirect_uris

SELECT account_id, client_id, value AS subject, 'a part of it stands for anything' AS detail
FROM oauth_clients__post_logout_redirect_uris
WHERE has_pattern
