-- row: Each row is a rule, with the number of clients it could not evaluate and the number of its findings.
-- rule_id: Id of the rule.
-- title: Title of the rule: what it looks for.
-- clients: Number of clients in all accounts.
-- not_evaluable: Number of clients that lack a field the rule requires, so that it gives no verdict.
-- findings: Number of findings, waived or not.

SELECT
  rules.rule_id,
  rules.title,
  rules.clients,
  rules.clients - rules.evaluable AS not_evaluable,
  COALESCE(found.findings, 0) AS findings
FROM all_rules AS rules
LEFT JOIN (
  SELECT rule_id, COUNT(*) AS findings FROM all_findings GROUP BY rule_id
) AS found ON found.rule_id = rules.rule_id
