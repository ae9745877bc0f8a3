-- id: RU-11
-- title: Redirect that may redirect on
-- severity: medium
-- why: An open redirector behind the redirect URI hands the code to whoever wrote the parameter.
-- mend: Remove the parameter; keep the target in the state.
-- reference: RFC 9700 §4.11.1
-- needs: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'parameter ' || u.redirect_parameter AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.redirect_parameter IS NOT NULL
