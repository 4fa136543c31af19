{#
  Ids that current does not show as history has them, since a moment, without a look into objects: those of history that
  have no current row, current rows of observations that history does not have, and ids with several current rows.

  Of history the partitions since then are read, of current all rows; three narrow columns of each. At most 20 ids of a
  kind are named, and how many there are.
#}
SELECT kind, id, minute, found
FROM (
  SELECT
    kind,
    id,
    minute,
    COUNT(*) OVER (PARTITION BY kind) AS found,
    ROW_NUMBER() OVER (PARTITION BY kind ORDER BY minute, id) AS place
  FROM (
    SELECT 'lost' AS kind, seen.id, seen.minute
    FROM (
      SELECT id, MAX(feed_minute) AS minute
      FROM `{{ dataset }}.{{ feed.name }}_history`
      WHERE feed_minute >= @since
      GROUP BY id
    ) AS seen
    LEFT JOIN `{{ dataset }}.{{ feed.name }}_current` AS known ON known.id = seen.id
    WHERE known.id IS NULL
    UNION ALL
    SELECT 'unseen' AS kind, known.id, known.feed_minute AS minute
    FROM `{{ dataset }}.{{ feed.name }}_current` AS known
    LEFT JOIN (
      SELECT id, feed_minute, feed_line
      FROM `{{ dataset }}.{{ feed.name }}_history`
      WHERE feed_minute >= @since
    ) AS seen
      ON seen.feed_minute = known.feed_minute AND seen.feed_line = known.feed_line AND seen.id = known.id
    WHERE known.feed_minute >= @since AND seen.id IS NULL
    UNION ALL
    SELECT 'several' AS kind, id, MAX(feed_minute) AS minute
    FROM `{{ dataset }}.{{ feed.name }}_current`
    GROUP BY id
    HAVING COUNT(*) > 1
  ) AS ids
) AS counted
WHERE place <= 20
ORDER BY kind, place
