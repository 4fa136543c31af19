{# What a feed's tables hold; no column wider than an id is read. #}
SELECT
  (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_staging`) AS staging_rows,
  (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}`) AS view_rows,
  (SELECT COUNT(DISTINCT id) FROM `{{ dataset }}.{{ feed.name }}_current`) AS current_ids,
  (
    SELECT COUNT(DISTINCT seen.id)
    FROM `{{ dataset }}.{{ feed.name }}_history` AS seen
    LEFT JOIN `{{ dataset }}.{{ feed.name }}_current` AS known ON known.id = seen.id
    WHERE seen.feed_minute >= @since AND known.id IS NULL
  ) AS lost_ids
