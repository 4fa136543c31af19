{#
  The furthest that each feed minute has come, of the ledger's rows that fulfil a condition on feed and minute.

  The condition stands below the windows, because BigQuery does not promise to move one there: asked of a view, one feed's
  week could read the ledger of years.
#}
{% macro furthest(dataset, condition) %}
SELECT
  feed,
  minute,
  IF(progress < 0, 'due', event) AS state,
{% for account in ("lines", "rejected", "bytes", "rows", "uri", "job_id", "crc32c") %}
  FIRST_VALUE(`{{ account }}` IGNORE NULLS) OVER (
    PARTITION BY feed, minute ORDER BY progress DESC, `at` DESC
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
  ) AS `{{ account }}`,
{% endfor %}
  reason,
  attempts,
  error_type,
  `at`
FROM (
  SELECT
    *,
    CASE
      WHEN event = 'merged' THEN 3
      WHEN event = 'loaded' THEN 2
      WHEN event IN ('planned', 'asked', 'replaced') THEN -1
      -- A letter about a minute that has landed; it changes nothing of what has landed.
      WHEN error_type = 'source_changed' THEN 0
      ELSE 1
    END AS progress
  FROM (
    SELECT *, MAX(IF(event = 'replaced', `at`, NULL)) OVER (PARTITION BY feed, minute) AS replaced_at
    FROM `{{ dataset }}.minutes`
    WHERE {{ condition }}
  ) AS all_events
  -- What was known of rows that have left counts no more.
  WHERE `at` >= COALESCE(replaced_at, `at`)
) AS events
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY feed, minute ORDER BY progress DESC, `at` DESC) = 1
{% endmacro %}
