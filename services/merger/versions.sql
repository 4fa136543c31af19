{# Rows of both tables of versions; BigQuery answers it from the tables' metadata and bills nothing. #}
SELECT
  (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_recent`) AS recent_rows,
  (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_base`) AS base_rows
