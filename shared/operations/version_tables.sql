{# What recent, base and fence of a feed hold. Of base, two columns are read: id and folded_at. #}
SELECT
  (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_base`) AS base_rows,
  (SELECT COUNT(DISTINCT id) FROM `{{ dataset }}.{{ feed.name }}_base`) AS base_ids,
  (SELECT COUNT(DISTINCT folded_at) FROM `{{ dataset }}.{{ feed.name }}_base`) AS generations,
  (SELECT MAX(folded_at) FROM `{{ dataset }}.{{ feed.name }}_base`) AS generation,
  (
    SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_recent`
    WHERE merged_at < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL {{ old_hours }} HOUR)
  ) AS old_rows,
  (SELECT MIN(merged_at) FROM `{{ dataset }}.{{ feed.name }}_recent`) AS oldest,
  (
    SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_recent`
    WHERE merged_at > TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 5 MINUTE)
  ) AS future_rows,
  (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_fence`) AS fence_rows,
  (SELECT MAX(generation) FROM `{{ dataset }}.{{ feed.name }}_fence`) AS fence_generation
