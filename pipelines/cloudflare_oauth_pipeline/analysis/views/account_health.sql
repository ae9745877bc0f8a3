-- row: Each row is an account, with its last sync and the time of its last complete sync.
-- account_id: Id of the account.
-- account_name: Name of the account.
-- sync_id: Id of the last sync that tried to read the account; null if there was none.
-- status: Outcome of that sync for the account: `complete`, or why it was not.
-- finished_at: When the account had been read, or reading had failed.
-- http_status: HTTP status of the response that made it fail.
-- error_code: Cloudflare's own error code in that response.
-- error_message: What went wrong and what to do about it.
-- listed: Number of clients in the listing.
-- deletes_withheld: Number of clients that are no longer listed but were kept.
-- rejected: Number of rows that could not be loaded, or not with all of their fields.
-- client_count: Number of clients currently stored.
-- last_complete_at: When the account was last read completely; null if never.

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
    ROW_NUMBER() OVER (
      PARTITION BY s.account_id ORDER BY COALESCE(s.sync_number, 0) DESC, s.finished_at DESC, s.sync_id DESC
    ) AS place
  FROM account_syncs AS s
) AS last_sync ON last_sync.account_id = a.account_id AND last_sync.place = 1
LEFT JOIN (
  SELECT
    s.account_id,
    s.finished_at AS last_complete_at,
    ROW_NUMBER() OVER (
      PARTITION BY s.account_id ORDER BY COALESCE(s.sync_number, 0) DESC, s.finished_at DESC, s.sync_id DESC
    ) AS place
  FROM account_syncs AS s
  WHERE s.status = 'complete'
) AS completed ON completed.account_id = a.account_id AND completed.place = 1
LEFT JOIN (
  SELECT account_id, COUNT(*) AS client_count FROM oauth_clients GROUP BY account_id
) AS clients ON clients.account_id = a.account_id
