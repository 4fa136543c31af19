{# Rows of recent and base, by metadata, and the generation of base: the fence is read. #}
SELECT
  (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_recent`) AS recent_rows,
  (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_base`) AS base_rows,
  (SELECT MAX(generation) FROM `{{ dataset }}.{{ feed.name }}_fence`) AS generation
