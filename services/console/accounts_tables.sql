{# What a feed's tables hold; no column wider than an id is read. #}
SELECT
  (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_staging`) AS staging_rows,
  (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}`) AS view_rows,
  (SELECT COUNT(DISTINCT id) FROM `{{ dataset }}.{{ feed.name }}_history`) AS ids
