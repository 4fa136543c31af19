{% from "shared.warehouse/fence.sql" import take_fence %}
{% from "shared.warehouse/insert_newest.sql" import insert_newest %}
{#
  One minute of a feed leaves staging, history and the tables of newest versions, all of it or nothing, and the ledger
  says so. Ids of the minute that other minutes have too show the newest version of those; for that the history of these
  ids is read. Billed besides: the partitions of history and recent that hold the ids, and all of base.
#}
DECLARE fence_rows INT64;
DECLARE taken_out TIMESTAMP DEFAULT TIMESTAMP '{{ minute }}';
DECLARE ids ARRAY<STRING>;

BEGIN TRANSACTION;

{{ take_fence(dataset, feed) }}
SET ids = (
  SELECT ARRAY_AGG(DISTINCT id)
  FROM (
    SELECT id FROM `{{ dataset }}.{{ feed.name }}_history` WHERE feed_minute = taken_out
    UNION ALL
    SELECT id FROM `{{ dataset }}.{{ feed.name }}_recent` WHERE feed_minute = taken_out
    UNION ALL
    SELECT id FROM `{{ dataset }}.{{ feed.name }}_base` WHERE feed_minute = taken_out
  ) AS known
);

DELETE FROM `{{ dataset }}.{{ feed.name }}_staging` WHERE feed_minute = taken_out;

DELETE FROM `{{ dataset }}.{{ feed.name }}_history` WHERE feed_minute = taken_out;

DELETE FROM `{{ dataset }}.{{ feed.name }}_recent` WHERE id IN UNNEST(ids);

DELETE FROM `{{ dataset }}.{{ feed.name }}_base` WHERE id IN UNNEST(ids);

UPDATE `{{ dataset }}.{{ feed.name }}_fence`
SET generation = TIMESTAMP_SECONDS(0)
WHERE NOT EXISTS (SELECT 1 FROM `{{ dataset }}.{{ feed.name }}_base`);

{% call insert_newest(dataset, feed) -%}
FROM `{{ dataset }}.{{ feed.name }}_history`
  WHERE id IN UNNEST(ids)
{%- endcall %}

INSERT INTO `{{ dataset }}.minutes` (feed, minute, event, `at`, reason)
SELECT '{{ feed.name }}', taken_out, 'replaced', CURRENT_TIMESTAMP(), 'gti-mesh replay --replace';

COMMIT TRANSACTION;
