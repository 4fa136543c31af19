{# What happened to some minutes since a moment; a landing is never repeated in the ledger's time, so any counts. #}
SELECT
  minute,
  LOGICAL_OR(event = 'landed') AS landed,
  LOGICAL_OR(event IN ('loaded', 'merged') AND `at` >= @since) AS loaded,
  LOGICAL_OR(event = 'merged') AS merged,
  LOGICAL_OR(event IN ('absent', 'dead') AND `at` >= @since) AS ended
FROM `{{ dataset }}.minutes`
WHERE feed = @feed AND minute >= @first_minute AND minute <= @last_minute
GROUP BY minute
