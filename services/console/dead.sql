{# Dead letters that the ledger tells of since a moment, and what has become of their minutes. #}
SELECT
  dead.message_id,
  dead.feed,
  dead.minute,
  dead.reason,
  dead.attempts,
  dead.source,
  dead.`at`,
  status.state,
  status.`at` AS reached,
  dead.uri
FROM `{{ dataset }}.minutes` AS dead
LEFT JOIN `{{ dataset }}.minute_status` AS status
  ON status.feed = dead.feed AND status.minute = dead.minute
WHERE dead.event = 'dead' AND dead.`at` >= @since
ORDER BY dead.`at` DESC
