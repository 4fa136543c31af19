{% from "shared.warehouse/headline.sql" import headline %}
{#
  Ids that history has seen in a newer version, since a moment, than their current row shows: the merge's promise,
  checked without its code. It reads every object in history since then, so it is for short times or small archives.
#}
{% set versions = feed.headline | selectattr("name", "in", feed.version) | list %}
SELECT 'outdated' AS kind, id, feed_minute AS minute, COUNT(*) OVER () AS found
FROM (
  SELECT id, feed_minute, is_shown
  FROM (
    SELECT
      id,
      feed_minute,
      feed_line,
{% for column in versions %}
      {{ headline(column) }} AS {{ column.name }},
{% endfor %}
      FALSE AS is_shown
    FROM `{{ dataset }}.{{ feed.name }}_history`
    WHERE feed_minute >= @since
    UNION ALL
    SELECT
      id,
      feed_minute,
      feed_line,
{% for column in versions %}
      {{ column.name }},
{% endfor %}
      TRUE AS is_shown
    FROM `{{ dataset }}.{{ feed.name }}_current`
  ) AS observed
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY id
    ORDER BY
{% for name in feed.version %}
      COALESCE({{ name }}, TIMESTAMP_SECONDS(0)) DESC,
{% endfor %}
      feed_minute DESC,
      feed_line DESC,
      is_shown DESC
  ) = 1
) AS newest
WHERE NOT is_shown
ORDER BY minute, id
LIMIT 20
