{% from "shared.warehouse/insert_newest.sql" import insert_newest %}
{#
  The newest versions among the minutes that were merged since a moment go into recent: a merger of an earlier version
  may have brought them into a table that is gone. A version that base has already changes nothing.
#}
DECLARE first_minute TIMESTAMP;
DECLARE last_minute TIMESTAMP;

SET first_minute = (
  SELECT MIN(minute) FROM `{{ dataset }}.minutes`
  WHERE feed = '{{ feed.name }}' AND event = 'merged' AND `at` >= TIMESTAMP '{{ since }}'
);
SET last_minute = (
  SELECT MAX(minute) FROM `{{ dataset }}.minutes`
  WHERE feed = '{{ feed.name }}' AND event = 'merged' AND `at` >= TIMESTAMP '{{ since }}'
);

{% call insert_newest(dataset, feed) -%}
FROM `{{ dataset }}.{{ feed.name }}_history`
  WHERE feed_minute >= first_minute AND feed_minute <= last_minute
    AND feed_minute IN (
      SELECT minute FROM `{{ dataset }}.minutes`
      WHERE feed = '{{ feed.name }}' AND event = 'merged' AND `at` >= TIMESTAMP '{{ since }}'
    )
{%- endcall %}
