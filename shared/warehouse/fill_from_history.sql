{% from "shared.warehouse/headline.sql" import headline %}
{#
  Every headline column of every current row is read anew from the object that history keeps of it.
  Billed: every object in history, and the whole of current; a row whose object has expired stays as it is.
#}
UPDATE `{{ dataset }}.{{ feed.name }}_current` AS known
SET
{% for column in feed.headline %}
  {{ column.name }} = observed.{{ column.name }}{{ "," if not loop.last }}
{% endfor %}
FROM (
  SELECT
    id,
    feed_minute,
    feed_line,
{% for column in feed.headline %}
    {{ headline(column) }} AS {{ column.name }}{{ "," if not loop.last }}
{% endfor %}
  FROM `{{ dataset }}.{{ feed.name }}_history`
) AS observed
WHERE observed.feed_minute = known.feed_minute
  AND observed.feed_line = known.feed_line
  AND observed.id = known.id
