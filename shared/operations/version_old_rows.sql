{# Rows of recent that folds could have taken for hours. #}
SELECT COUNT(*) AS old_rows
FROM `{{ dataset }}.{{ feed.name }}_recent`
WHERE merged_at < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL {{ old_hours }} HOUR)
