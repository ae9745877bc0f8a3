-- id: RU-05
-- title: Loopback redirect by name
-- severity: low
-- why: The name localhost may resolve to another machine, and may be listened to on another interface.
-- mend: Use 127.0.0.1 or [::1].
-- reference: RFC 8252 §8.3
-- needs: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'by name: ' || u.host AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.host_type = 'localhost'
