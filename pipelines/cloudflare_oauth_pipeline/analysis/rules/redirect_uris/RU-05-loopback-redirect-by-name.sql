-- id: RU-05
-- title: Loopback redirect URI with the name localhost
-- severity: low
-- risk: The name localhost can resolve to another machine, and a program that listens on it may listen on other network interfaces.
-- remediation: Use 127.0.0.1 or [::1].
-- reference: RFC 8252 §8.3
-- requires: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, 'host name ' || u.host AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.host_type = 'localhost'
