{% from "shared.warehouse/furthest.sql" import furthest %}
{#
  Dead letters that the ledger has recorded since a moment, and what has become of their minutes: those about minutes
  from first_minute on, and those that name none. A row without a message's id is not a letter: somebody has written it into
  the ledger, and the accounts name its minute. A condition on minute stands in every look at the ledger, so that only
  these partitions are read.
#}
SELECT
  TO_JSON_STRING(ARRAY_AGG(STRUCT(
    dead.message_id,
    dead.feed,
    UNIX_MICROS(dead.minute) AS minute,
    dead.reason,
    dead.error_type,
    dead.attempts,
    dead.source,
    UNIX_MICROS(dead.`at`) AS `at`,
    status.state,
    UNIX_MICROS(status.`at`) AS reached,
    dead.uri
  ))) AS packed
FROM (
  SELECT message_id, feed, minute, reason, error_type, attempts, source, `at`, uri
  FROM `{{ dataset }}.minutes`
  WHERE minute >= @first_minute AND event = 'dead' AND `at` >= @since AND message_id IS NOT NULL
  UNION ALL
  SELECT message_id, feed, minute, reason, error_type, attempts, source, `at`, uri
  FROM `{{ dataset }}.minutes`
  WHERE minute IS NULL AND event = 'dead' AND `at` >= @since AND message_id IS NOT NULL
) AS dead
LEFT JOIN (
{# Only of the minutes that have a letter: the windows take most of the time. -#}
{% set letters = "SELECT minute FROM `" ~ dataset ~ ".minutes` WHERE minute >= @first_minute AND event = 'dead'" %}
{{ furthest(dataset, "minute >= @first_minute AND minute IN (" ~ letters ~ ")") -}}
) AS status
  ON status.feed = dead.feed AND status.minute = dead.minute
GROUP BY TIMESTAMP_TRUNC(dead.`at`, HOUR)
