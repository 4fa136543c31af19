{% from "shared.warehouse/headline.sql" import observation %}
{#
  Ids whose current row has other columns than the object that history keeps of it, since a moment. It reads every object
  in history since then, and all of current.
#}
SELECT 'changed' AS kind, id, feed_minute AS minute, COUNT(*) OVER () AS found
FROM (
  SELECT
    known.id,
    known.feed_minute,
{% for column in feed.headline %}
    {{ "(" if loop.first }}{{ "OR " if not loop.first }}
{%- if column.type == "ARRAY<STRING>" -%}
TO_JSON_STRING(known.{{ column.name }}) IS DISTINCT FROM TO_JSON_STRING(observed.{{ column.name }})
{%- else -%}
known.{{ column.name }} IS DISTINCT FROM observed.{{ column.name }}
{%- endif %}{{ ") AS has_changed" if loop.last }}
{% endfor %}
  FROM `{{ dataset }}.{{ feed.name }}_current` AS known
  JOIN (
    SELECT
      {{ observation(feed) }}
    FROM `{{ dataset }}.{{ feed.name }}_history`
    WHERE feed_minute >= @since
  ) AS observed
    ON observed.feed_minute = known.feed_minute AND observed.feed_line = known.feed_line AND observed.id = known.id
  WHERE known.feed_minute >= @since
) AS compared
WHERE has_changed
ORDER BY minute, id
LIMIT 20
