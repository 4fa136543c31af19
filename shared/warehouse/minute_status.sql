{#
  One row per feed minute: merged beats loaded, loaded beats landed, dead and absent, and of these the newest counts.
  An account (lines, rows, ...) is the one of the furthest event that has it; reason and attempts belong to the state.
#}
CREATE OR REPLACE VIEW `{{ dataset }}.minute_status` (
  feed OPTIONS (description = 'Feed.'),
  minute OPTIONS (description = 'Minute of the feed (UTC).'),
  state OPTIONS (description = 'The furthest the minute has come: merged, loaded, landed, dead or absent.'),
  lines OPTIONS (description = 'Lines in the package, rejected ones included.'),
  rejected OPTIONS (description = 'Lines kept as rejects.'),
  bytes OPTIONS (description = 'Size of the decompressed package.'),
  `rows` OPTIONS (description = 'Rows in history when the minute was last merged.'),
  uri OPTIONS (description = 'Where the lines lie in Cloud Storage.'),
  job_id OPTIONS (description = 'The load job that brought them into staging.'),
  reason OPTIONS (description = 'Why a dead minute is dead.'),
  attempts OPTIONS (description = 'Deliveries before a dead minute was given up.'),
  `at` OPTIONS (description = 'When the state was reached (UTC).')
)
OPTIONS (description = 'One row per feed minute: the furthest it has come, and its accounts.')
AS
WITH events AS (
  SELECT *, CASE event WHEN 'merged' THEN 3 WHEN 'loaded' THEN 2 ELSE 1 END AS progress
  FROM `{{ dataset }}.minutes`
  WHERE feed IS NOT NULL AND minute IS NOT NULL
)
SELECT
  feed,
  minute,
  event AS state,
{% for account in ("lines", "rejected", "bytes", "rows", "uri", "job_id") %}
  FIRST_VALUE(`{{ account }}` IGNORE NULLS) OVER (
    PARTITION BY feed, minute ORDER BY progress DESC, `at` DESC
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
  ) AS `{{ account }}`,
{% endfor %}
  reason,
  attempts,
  `at`
FROM events
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY feed, minute ORDER BY progress DESC, `at` DESC) = 1
