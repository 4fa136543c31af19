{% from "services.merger/cut.sql" import cut %}
{# Rows that a fold would take from recent. #}
SELECT COUNT(*) AS foldable_rows
FROM `{{ dataset }}.{{ feed.name }}_recent`
WHERE merged_at < {{ cut(keep_hours) }}
