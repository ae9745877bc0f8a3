-- row: Each row is a rule: of how many clients it could say something, and what it found.
-- rule_id: Id of the rule.
-- title: What it looks for.
-- clients: Clients in all accounts.
-- not_evaluable: Those that lack what the rule needs: it says nothing of them.
-- findings: What it found, waived or not.

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
