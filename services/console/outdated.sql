{% from "shared.warehouse/headline.sql" import headline %}
{#
  Ids whose current row is not the newest version in history: the merge's promise, checked without its code.
  It reads every object in history, so it is for small archives.
#}
SELECT COUNT(*) AS ids
FROM (
  SELECT id, feed_minute, feed_line
  FROM (
    SELECT
      id,
      feed_minute,
      feed_line,
{% for column in feed.headline if column.name in feed.version %}
      {{ headline(column) }} AS {{ column.name }}{{ "," if not loop.last }}
{% endfor %}
    FROM `{{ dataset }}.{{ feed.name }}_history`
  ) AS observed
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY id
    ORDER BY
{% for column in feed.version %}
      COALESCE({{ column }}, TIMESTAMP_SECONDS(0)) DESC,
{% endfor %}
      feed_minute DESC,
      feed_line DESC
  ) = 1
) AS newest
LEFT JOIN `{{ dataset }}.{{ feed.name }}_current` AS known
  ON known.id = newest.id
  AND known.feed_minute = newest.feed_minute
  AND known.feed_line = newest.feed_line
WHERE known.id IS NULL
