{% from "shared.warehouse/fence.sql" import take_fence %}
{% from "shared.warehouse/insert_newest.sql" import insert_newest %}
{#
  Whole hours of one feed's staging, the oldest ones, move into history, recent and the ledger: all of them, or nothing.

  The fence is updated first, so that two merges, or a merge and a fold, conflict and one of them is cancelled.

  The bounds are set inside the transaction, so they belong to its snapshot: what a load appends meanwhile lies outside
  the snapshot and stays in staging. They are script variables because only comparisons with those prune partitions.
  They lie on hours because a DELETE of whole partitions is not billed. An hour is never divided: the first one is taken
  whatever its size, the others while there are at most max_lines in all.

  Nothing but the fence is updated, and base is not named: what a merge bills is the staged lines.
#}

{# A load may have come twice: one row per key, and the same one wherever it is asked for. #}
{% macro staged() %}
    SELECT feed_minute, feed_line, id, object
    FROM `{{ dataset }}.{{ feed.name }}_staging`
    WHERE feed_minute >= first_hour AND feed_minute < end_hour
    QUALIFY ROW_NUMBER() OVER (PARTITION BY feed_minute, feed_line ORDER BY id) = 1
{% endmacro %}

{# The content that the loader has taken in: only then it records a landing. #}
{% macro landed() %}
  SELECT minute, crc32c
  FROM `{{ dataset }}.minutes`
  WHERE feed = '{{ feed.name }}' AND event IN ('landed', 'loaded') AND minute >= first_hour AND minute < end_hour
  QUALIFY ROW_NUMBER() OVER (PARTITION BY minute ORDER BY `at` DESC) = 1
{% endmacro %}

DECLARE fence_rows INT64;
DECLARE first_hour TIMESTAMP;
DECLARE end_hour TIMESTAMP;
DECLARE first_minute TIMESTAMP;
DECLARE last_minute TIMESTAMP;
DECLARE merged_minutes INT64;
DECLARE merged_lines INT64;
DECLARE staged_lines INT64;

BEGIN TRANSACTION;

{{ take_fence(dataset, feed) }}
SET staged_lines = (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_staging`);
SET first_minute = (SELECT MIN(feed_minute) FROM `{{ dataset }}.{{ feed.name }}_staging`);
SET first_hour = TIMESTAMP_TRUNC(first_minute, HOUR);
SET end_hour = (
  SELECT TIMESTAMP_ADD(MAX(hour), INTERVAL 1 HOUR)
  FROM (
    SELECT hour, SUM(lines) OVER (ORDER BY hour) AS lines_so_far, ROW_NUMBER() OVER (ORDER BY hour) AS place
    FROM (
      SELECT TIMESTAMP_TRUNC(feed_minute, HOUR) AS hour, COUNT(*) AS lines
      FROM `{{ dataset }}.{{ feed.name }}_staging`
      GROUP BY hour
    ) AS hours
  ) AS counted
  WHERE place = 1 OR (lines_so_far <= {{ max_lines }} AND place <= {{ max_hours }})
);
SET last_minute = (
  SELECT MAX(feed_minute) FROM `{{ dataset }}.{{ feed.name }}_staging`
  WHERE feed_minute >= first_hour AND feed_minute < end_hour
);
SET merged_minutes = (
  SELECT COUNT(DISTINCT feed_minute) FROM `{{ dataset }}.{{ feed.name }}_staging`
  WHERE feed_minute >= first_hour AND feed_minute < end_hour
);
SET merged_lines = (
  SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_staging`
  WHERE feed_minute >= first_hour AND feed_minute < end_hour
);

MERGE `{{ dataset }}.{{ feed.name }}_history` AS history
USING (
{{ staged() -}}
) AS staged
ON history.feed_minute = staged.feed_minute
  AND history.feed_line = staged.feed_line
  AND history.feed_minute >= first_hour
  AND history.feed_minute < end_hour
WHEN NOT MATCHED THEN
  INSERT (feed_minute, feed_line, id, object)
  VALUES (staged.feed_minute, staged.feed_line, staged.id, staged.object);

{% call insert_newest(dataset, feed) -%}
FROM (
{{ staged() -}}
  )
{%- endcall %}

INSERT INTO `{{ dataset }}.minutes` (feed, minute, event, `rows`, `at`, crc32c)
SELECT '{{ feed.name }}', feed_minute, 'merged', COUNT(*), CURRENT_TIMESTAMP(), ANY_VALUE(landed.crc32c)
FROM `{{ dataset }}.{{ feed.name }}_history`
LEFT JOIN (
{{ landed() -}}
) AS landed
  ON landed.minute = feed_minute
WHERE feed_minute >= first_hour
  AND feed_minute < end_hour
  AND feed_minute IN (
    SELECT feed_minute
    FROM `{{ dataset }}.{{ feed.name }}_staging`
    WHERE feed_minute >= first_hour AND feed_minute < end_hour
  )
GROUP BY feed_minute;

DELETE FROM `{{ dataset }}.{{ feed.name }}_staging`
WHERE feed_minute >= first_hour AND feed_minute < end_hour;

COMMIT TRANSACTION;

SELECT
  staged_lines AS staged_lines,
  merged_lines AS merged_lines,
  merged_minutes AS merged_minutes,
  first_minute AS first_minute,
  last_minute AS last_minute;
