-- row: Each row is an account: its last sync, and the last one that read it completely.
-- account_id: Id of the account.
-- account_name: Name of the account.
-- sync_id: The last sync that tried to read it; null if none did.
-- status: What came of that: `complete`, or why not.
-- finished_at: When that was.
-- http_status: HTTP status of the answer that ended it badly.
-- error_code: Cloudflare's own code of that answer.
-- error_message: What went wrong, and what to do.
-- listed: Clients in the listing.
-- deletes_withheld: Clients no longer listed that were kept all the same.
-- rejected: Rows that could not be loaded.
-- client_count: Clients stored now.
-- last_complete_at: When it was last read completely; null if never.

SELECT
  a.account_id,
  a.name AS account_name,
  last_sync.sync_id,
  last_sync.status,
  last_sync.finished_at,
  last_sync.http_status,
  last_sync.error_code,
  last_sync.error_message,
  last_sync.listed,
  last_sync.deletes_withheld,
  last_sync.rejected,
  COALESCE(clients.client_count, 0) AS client_count,
  completed.last_complete_at
FROM accounts AS a
LEFT JOIN (
  SELECT
    s.*,
    ROW_NUMBER() OVER (PARTITION BY s.account_id ORDER BY s.finished_at DESC, s.sync_id DESC) AS place
  FROM account_syncs AS s
) AS last_sync ON last_sync.account_id = a.account_id AND last_sync.place = 1
LEFT JOIN (
  SELECT account_id, MAX(finished_at) AS last_complete_at
  FROM account_syncs WHERE status = 'complete' GROUP BY account_id
) AS completed ON completed.account_id = a.account_id
LEFT JOIN (
  SELECT account_id, COUNT(*) AS client_count FROM oauth_clients GROUP BY account_id
) AS clients ON clients.account_id = a.account_id
