{% from "shared.warehouse/headline.sql" import observation %}
{% from "shared.warehouse/versions.sql" import columns, newest_first %}
{# Macro that inserts into recent the newest version per id among the observations of the caller's FROM clause. #}
{% macro insert_newest(dataset, feed) %}
INSERT INTO `{{ dataset }}.{{ feed.name }}_recent` (id, merged_at, {{ columns(feed) }})
SELECT id, CURRENT_TIMESTAMP(), {{ columns(feed) }}
FROM (
  SELECT
    {{ observation(feed) }}
  {{ caller() }}
) AS observed
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY {{ newest_first(feed, "observed") }}) = 1;
{% endmacro %}
