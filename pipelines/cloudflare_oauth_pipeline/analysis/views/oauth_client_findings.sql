-- row: Each row is something about one client that a rule finds dangerous.
-- rule_id: Id of the rule; docs/data-dictionary.md says what each is about.
-- severity: `critical`, `high`, `medium` or `low`.
-- account_id: Id of the account.
-- client_id: Id of the client.
-- client_name: Name of the client.
-- subject: What of the client it is about: a URI, a scope, a name.
-- detail: What was found.
-- reference: Where it is written that this is dangerous.
-- waived: Whether a waiver holds for it.
-- waived_reason: The reason the waiver gives.

SELECT
  f.rule_id,
  f.severity,
  f.account_id,
  f.client_id,
  c.client_name,
  f.subject,
  f.detail,
  f.reference,
  f.waived_reason IS NOT NULL AS waived,
  f.waived_reason
FROM (
  SELECT
    found.*,
    (
      SELECT MIN(w.reason) FROM waivers AS w
      WHERE w.rule_id = found.rule_id
        AND COALESCE(w.account_id, found.account_id) = found.account_id
        AND COALESCE(w.client_id, found.client_id) = found.client_id
        AND (w.subject IS NULL OR found.subject LIKE w.subject ESCAPE '!')
        AND (w.until IS NULL OR w.until >= CAST(CURRENT_TIMESTAMP AT TIME ZONE 'UTC' AS DATE))
    ) AS waived_reason
  FROM all_findings AS found
) AS f
JOIN oauth_clients AS c ON c.account_id = f.account_id AND c.client_id = f.client_id
