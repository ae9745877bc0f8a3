-- row: Each row is a finding: a risk that a rule detects in one client.
-- rule_id: Id of the rule; docs/data-dictionary.md describes every rule.
-- severity: `critical`, `high`, `medium` or `low`.
-- account_id: Id of the account.
-- client_id: Id of the client.
-- client_name: Name of the client.
-- subject: The part of the client that the finding is about: a URI, a scope, a name.
-- detail: What the rule found.
-- reference: Standard or specification that describes the risk.
-- waived: Whether a waiver covers the finding.
-- waived_reason: The reason given in the waiver; null if none covers the finding.

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
