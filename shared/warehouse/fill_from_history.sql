{% from "shared.warehouse/fence.sql" import take_fence %}
{% from "shared.warehouse/headline.sql" import observation %}
{#
  Every headline column of every newest version is read again from the object that history keeps of it, in both tables.
  Billed: every object in history twice, and the whole of both tables; a row whose object has expired stays as it is.
#}
{% macro fill(table) %}
UPDATE `{{ dataset }}.{{ feed.name }}_{{ table }}` AS known
SET
{% for column in feed.headline %}
  {{ column.name }} = observed.{{ column.name }}{{ "," if not loop.last }}
{% endfor %}
FROM (
  SELECT
    {{ observation(feed) }}
  FROM `{{ dataset }}.{{ feed.name }}_history`
) AS observed
WHERE observed.feed_minute = known.feed_minute
  AND observed.feed_line = known.feed_line
  AND observed.id = known.id;
{% endmacro %}
DECLARE fence_rows INT64;

BEGIN TRANSACTION;

{{ take_fence(dataset, feed) }}
{{ fill("base") }}
{{ fill("recent") }}
COMMIT TRANSACTION;
