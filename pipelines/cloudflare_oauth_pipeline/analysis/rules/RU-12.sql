-- id: RU-12
-- title: User or bare address in a redirect
-- severity: medium
-- why: A user before the @ hides the real host; an address belongs to whoever has it next.
-- mend: Use the host's name, without a user.
-- reference: RFC 3986 §7.6; RFC 9700 §2.1
-- needs: redirect_uris

SELECT u.account_id, u.client_id, u.value AS subject, CASE WHEN u.has_userinfo THEN 'it has a user; the host is ' || COALESCE(u.host, 'unclear')
       ELSE u.host_type || ' address ' || u.host END AS detail
FROM oauth_clients__redirect_uris AS u
WHERE u.has_userinfo OR u.host_type IN ('private', 'address')
