{% from "shared.warehouse/headline.sql" import observation %}
{# Every observation between two minutes, both inclusive, in the columns of the view; only their partitions are read. #}
CREATE OR REPLACE TABLE FUNCTION `{{ dataset }}.{{ feed.name }}_between`(first_minute TIMESTAMP, last_minute TIMESTAMP)
AS (
  SELECT
    {{ observation(feed) }},
{% if feed.source == "streams" %}
    object,
{% endif %}
    JSON_QUERY(object, '$.attributes') AS attributes,
    JSON_QUERY(object, '$.relationships') AS relationships,
    JSON_QUERY(object, '$.context_attributes') AS context_attributes,
    JSON_QUERY(object, '$.links') AS links
  FROM `{{ dataset }}.{{ feed.name }}_history`
  WHERE feed_minute >= first_minute AND feed_minute <= last_minute
)
