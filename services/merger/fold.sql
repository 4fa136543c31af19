{% from "services.merger/cut.sql" import cut %}
{% from "shared.warehouse/fence.sql" import take_fence %}
{% from "shared.warehouse/versions.sql" import columns, newest_first %}
{#
  Base and the older hours of recent become a new generation of base: all of it, or nothing. The view shows the same
  before and after.

  The fence is updated first, so that a fold and a merge, or two folds, conflict and one of them is cancelled.

  A generation is a whole hour, later than any that base or the fence has: two folds within an hour would leave the rows
  of both otherwise. Of equal versions base's row is taken, then the one merged first, as the view does. Only whole
  hours leave recent, because a DELETE of whole partitions is not billed.
#}
DECLARE fence_rows INT64;
DECLARE fold_end TIMESTAMP;
DECLARE new_generation TIMESTAMP;
DECLARE folded_rows INT64;
DECLARE base_rows INT64;

BEGIN TRANSACTION;

{{ take_fence(dataset, feed) }}
SET fold_end = {{ cut(keep_hours) }};
{% if keep_hours is not none %}
SET fold_end = LEAST(fold_end, COALESCE((
  SELECT TIMESTAMP_ADD(TIMESTAMP_TRUNC(MIN(merged_at), HOUR), INTERVAL {{ max_hours }} HOUR)
  FROM `{{ dataset }}.{{ feed.name }}_recent`
), fold_end));
{% endif %}
SET new_generation = (
  SELECT GREATEST(TIMESTAMP_TRUNC(CURRENT_TIMESTAMP(), HOUR), TIMESTAMP_ADD(MAX(known), INTERVAL 1 HOUR))
  FROM (
    SELECT TIMESTAMP_TRUNC(generation, HOUR) AS known FROM `{{ dataset }}.{{ feed.name }}_fence`
    UNION ALL
    SELECT TIMESTAMP_TRUNC(folded_at, HOUR) AS known FROM `{{ dataset }}.{{ feed.name }}_base`
  ) AS generations
);
SET folded_rows = (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_recent` WHERE merged_at < fold_end);

INSERT INTO `{{ dataset }}.{{ feed.name }}_base` (id, folded_at, {{ columns(feed) }})
SELECT id, new_generation, {{ columns(feed) }}
FROM (
  SELECT id, CAST(NULL AS TIMESTAMP) AS merged_at, {{ columns(feed) }}
  FROM `{{ dataset }}.{{ feed.name }}_base`
  UNION ALL
  SELECT id, merged_at, {{ columns(feed) }}
  FROM `{{ dataset }}.{{ feed.name }}_recent`
  WHERE merged_at < fold_end
) AS observed
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY id ORDER BY {{ newest_first(feed, "observed") }}, merged_at NULLS FIRST
) = 1;

DELETE FROM `{{ dataset }}.{{ feed.name }}_base` WHERE folded_at < new_generation;

SET base_rows = (SELECT COUNT(*) FROM `{{ dataset }}.{{ feed.name }}_base`);
UPDATE `{{ dataset }}.{{ feed.name }}_fence`
SET generation = IF(base_rows > 0, new_generation, TIMESTAMP_SECONDS(0))
WHERE TRUE;

DELETE FROM `{{ dataset }}.{{ feed.name }}_recent` WHERE merged_at < fold_end;

COMMIT TRANSACTION;

SELECT new_generation AS generation, folded_rows AS folded_rows, base_rows AS base_rows;
