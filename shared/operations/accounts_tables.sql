{# What a feed's tables hold; no column wider than an id is read, and nothing of history, which the view would join. #}
SELECT
  (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_staging`) AS staging_rows,
  (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_current`) AS current_rows
