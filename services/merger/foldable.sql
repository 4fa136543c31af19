{% from "services.merger/cut.sql" import cut %}
{# Rows that a fold would take from recent, and those that earlier folds could have taken for chance_hours. #}
SELECT
  COUNT(*) AS foldable_rows,
  COUNTIF(merged_at < {{ cut(keep_hours + chance_hours) }}) AS old_rows
FROM `{{ dataset }}.{{ feed.name }}_recent`
WHERE merged_at < {{ cut(keep_hours) }}
