{% from "shared.warehouse/furthest.sql" import furthest %}
{#
  Every minute of a feed since a moment that the ledger, history or staging knows, with what each of them says of it.
  Two narrow columns of the partitions since then are read, and nothing else.
#}
SELECT
  COALESCE(status.minute, kept.minute) AS minute,
  status.state,
  status.`at`,
  status.lines,
  status.rejected,
  status.reason,
  status.`rows` AS merged_rows,
  status.uri,
  status.job_id,
  status.crc32c,
  COALESCE(kept.history_rows, 0) AS history_rows,
  COALESCE(kept.history_lines, 0) AS history_lines,
  COALESCE(kept.line_numbers, 0) AS line_numbers,
  COALESCE(kept.kept_lines, 0) AS kept_lines
FROM (
  SELECT minute, state, `at`, lines, rejected, reason, `rows`, uri, job_id, crc32c
  FROM (
{{ furthest(dataset, "feed = @feed AND minute >= @since") -}}
  ) AS furthest
) AS status
FULL JOIN (
  SELECT
    feed_minute AS minute,
    COUNTIF(merged) AS history_rows,
    COUNT(DISTINCT IF(merged, feed_line, NULL)) AS history_lines,
    SUM(IF(merged, feed_line, 0)) AS line_numbers,
    COUNT(DISTINCT feed_line) AS kept_lines
  FROM (
    SELECT feed_minute, feed_line, TRUE AS merged
    FROM `{{ dataset }}.{{ feed.name }}_history`
    WHERE feed_minute >= @since
    UNION ALL
    SELECT feed_minute, feed_line, FALSE AS merged
    FROM `{{ dataset }}.{{ feed.name }}_staging`
    WHERE feed_minute >= @since
  ) AS observed
  GROUP BY feed_minute
) AS kept
  ON kept.minute = status.minute
ORDER BY minute
