{% from "shared.warehouse/furthest.sql" import furthest %}
{# What the ledger knows of feeds' minutes since a moment; nothing but the ledger is read. #}
SELECT
  feed,
  TO_JSON_STRING(ARRAY_AGG(STRUCT(
    UNIX_MICROS(minute) AS minute,
    state,
    UNIX_MICROS(`at`) AS `at`,
    lines,
    rejected,
    `bytes`,
    reason,
    error_type,
    attempts,
    job_id,
    state <> 'merged' OR lines IS NOT NULL AS counted
  ))) AS packed
FROM (
{{ furthest(dataset, "feed IN UNNEST(SPLIT(@feeds, ',')) AND minute >= @first_minute") -}}
) AS status
GROUP BY feed, TIMESTAMP_TRUNC(minute, DAY)
