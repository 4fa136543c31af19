{# Every minute of a feed that the ledger or history knows, with what each of them says of it. #}
SELECT
  COALESCE(status.minute, observed.minute) AS minute,
  status.state,
  status.lines,
  status.rejected,
  status.reason,
  COALESCE(observed.history_rows, 0) AS history_rows
FROM (
  SELECT minute, state, lines, rejected, reason
  FROM `{{ dataset }}.minute_status`
  WHERE feed = @feed
) AS status
FULL JOIN (
  SELECT feed_minute AS minute, COUNT(*) AS history_rows
  FROM `{{ dataset }}.{{ feed.name }}_history`
  GROUP BY feed_minute
) AS observed
  ON observed.minute = status.minute
ORDER BY minute
