{% from "shared.warehouse/versions.sql" import columns, is_newer, newest_first %}
{#
  One row per id: the newer one of base and recent. Both ways are compared, because base may hold a newer version than
  one that a replay brought into recent later. The two branches are complementary, so each id appears exactly once.

  A window over both tables would be shorter. It would also move all of base between workers for every query, and keep
  conditions of a query from the blocks of base.

  The newest of recent are written out in both branches. BigQuery evaluates a WITH at every reference, so that it bills
  the same either way; DuckDB materializes one with all of its columns, which takes twice the time.
#}
{% macro newest_of_recent() -%}
(
  SELECT id, {{ columns(feed) }}
  FROM `{{ dataset }}.{{ feed.name }}_recent` AS observed
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY {{ newest_first(feed, "observed") }}, merged_at) = 1
)
{%- endmacro %}
CREATE OR REPLACE VIEW `{{ dataset }}.{{ feed.name }}_current` (
  id OPTIONS (description = 'Identifier of the object at VirusTotal.'),
  feed_minute OPTIONS (description = 'Minute of the package that held the newest version (UTC).'),
  feed_line OPTIONS (description = 'Line of that package.'){{ "," }}
{% for column in feed.headline %}
  {{ column.name }} OPTIONS (description = {{ column.description | tojson }}){{ "," if not loop.last }}
{% endfor %}
)
OPTIONS (description = {{ (feed.description ~ " One row per id: its newest version, and where history keeps the full object.") | tojson }})
AS
SELECT base.id, {{ columns(feed, "base") }}
FROM `{{ dataset }}.{{ feed.name }}_base` AS base
LEFT JOIN {{ newest_of_recent() }} AS fresh ON fresh.id = base.id
WHERE fresh.id IS NULL OR NOT (
  {{ is_newer(feed, "fresh", "base") }}
)
UNION ALL
SELECT fresh.id, {{ columns(feed, "fresh") }}
FROM {{ newest_of_recent() }} AS fresh
LEFT JOIN `{{ dataset }}.{{ feed.name }}_base` AS base ON base.id = fresh.id
WHERE base.id IS NULL OR (
  {{ is_newer(feed, "fresh", "base") }}
)
