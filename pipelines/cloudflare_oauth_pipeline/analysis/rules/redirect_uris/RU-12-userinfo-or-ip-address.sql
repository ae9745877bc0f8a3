-- id: RU-12
-- title: User information or IP address in a redirect URI
-- severity: medium
-- risk: User information before the @ disguises the real host; an IP address can pass to a different owner.
-- remediation: Use a host name without user information.
-- reference: RFC 3986 §7.6; RFC 9700 §2.1
-- requires: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, CASE WHEN u.has_userinfo THEN 'contains user information; the host is ' || COALESCE(u.host, 'unclear')
       WHEN u.host_type = 'private' THEN 'private IP address ' || u.host
       ELSE 'IP address ' || u.host END AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.has_userinfo OR u.host_type IN ('private', 'address')
