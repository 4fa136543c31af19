{% from "shared.warehouse/headline.sql" import headline %}
{% from "shared.warehouse/versions.sql" import columns, newest_first %}
{# Macro that brings into recent the newest version per id among the rows of history that the caller's condition names. #}
{% macro bring_newest_of_history(dataset, feed) %}
INSERT INTO `{{ dataset }}.{{ feed.name }}_recent` (id, merged_at, {{ columns(feed) }})
SELECT id, CURRENT_TIMESTAMP(), {{ columns(feed) }}
FROM (
  SELECT
    id,
    feed_minute,
    feed_line,
{% for column in feed.headline %}
    {{ headline(column) }} AS {{ column.name }}{{ "," if not loop.last }}
{% endfor %}
  FROM `{{ dataset }}.{{ feed.name }}_history`
  WHERE {{ caller() }}
) AS observed
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY {{ newest_first(feed, "observed") }}) = 1;
{% endmacro %}
