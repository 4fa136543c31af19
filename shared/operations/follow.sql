{# What happened to some minutes after a moment; a landing keeps its first time, so any of it counts. #}
SELECT
  minute,
  LOGICAL_OR(event = 'landed') AS landed,
  LOGICAL_OR(event IN ('loaded', 'merged') AND `at` > @after) AS loaded,
  LOGICAL_OR(event = 'merged' AND `at` > @after) AS merged,
  LOGICAL_OR(event IN ('absent', 'dead') AND `at` > @after) AS ended,
  MAX(`at`) AS latest
FROM `{{ dataset }}.minutes`
WHERE feed = @feed AND minute >= @first_minute AND minute <= @last_minute
GROUP BY minute
