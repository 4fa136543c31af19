-- Move a wide domain table (one row per id; attributes and relationships as STRUCTs) into gti-mesh, without stopping.
-- docs/migrate.md says when and how. It writes staging and the ledger; the next merge does the rest, as with any minute.
--
-- Replace: vt_feeds (the mesh's dataset), predecessor.domains_snapshot (a snapshot of the wide table).
-- It may run any number of times, whole or in slices: a row's place depends on its id and the snapshot alone.

-- A day before the mesh's first minute. No package can ever come for it, so its lines are nobody else's. Keep it.
DECLARE moved_day TIMESTAMP DEFAULT TIMESTAMP '2025-01-01 00:00:00 UTC';
-- Ids are spread over the minutes of that day. For a large table run it hour by hour (0 to 59, 60 to 119 ...), and
-- let a merge pass in between.
DECLARE first_slice INT64 DEFAULT 0;
DECLARE last_slice INT64 DEFAULT 1439;

BEGIN TRANSACTION;

INSERT INTO `vt_feeds.domains_staging` (feed_minute, feed_line, id, object)
SELECT
  TIMESTAMP_ADD(moved_day, INTERVAL slice MINUTE),
  ROW_NUMBER() OVER (PARTITION BY slice ORDER BY id),
  id,
  -- The source writes dates as epoch seconds, and leaves out what it does not know.
  JSON_STRIP_NULLS(
    JSON_SET(JSON_SET(JSON_SET(JSON_SET(JSON_SET(JSON_SET(
      TO_JSON(STRUCT(id, 'domain' AS type, attributes, relationships)),
      '$.attributes.last_analysis_date', COALESCE(TO_JSON(UNIX_SECONDS(attributes.last_analysis_date)), JSON 'null')),
      '$.attributes.last_modification_date', COALESCE(TO_JSON(UNIX_SECONDS(attributes.last_modification_date)), JSON 'null')),
      '$.attributes.creation_date', COALESCE(TO_JSON(UNIX_SECONDS(attributes.creation_date)), JSON 'null')),
      '$.attributes.expiration_date', COALESCE(TO_JSON(UNIX_SECONDS(attributes.expiration_date)), JSON 'null')),
      '$.attributes.last_dns_records_date', COALESCE(TO_JSON(UNIX_SECONDS(attributes.last_dns_records_date)), JSON 'null')),
      '$.attributes.last_https_certificate_date', COALESCE(TO_JSON(UNIX_SECONDS(attributes.last_https_certificate_date)), JSON 'null'))
  )
FROM (
  SELECT id, attributes, relationships, MOD(ABS(FARM_FINGERPRINT(id)), 1440) AS slice
  FROM `predecessor.domains_snapshot`
  WHERE id IS NOT NULL
  -- The predecessor could insert an id twice; its newest row is taken.
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY id
    ORDER BY COALESCE(attributes.last_analysis_date, TIMESTAMP_SECONDS(0)) DESC, ingestion_timestamp DESC
  ) = 1
) AS wide
WHERE slice >= first_slice AND slice <= last_slice;

-- The accounts of the moved minutes, so that gti-mesh audit can hold history to them.
INSERT INTO `vt_feeds.minutes` (feed, minute, event, lines, rejected, uri, `at`)
SELECT 'domains', feed_minute, 'loaded', COUNT(DISTINCT feed_line), 0, 'predecessor.domains_snapshot', CURRENT_TIMESTAMP()
FROM `vt_feeds.domains_staging`
WHERE feed_minute >= TIMESTAMP_ADD(moved_day, INTERVAL first_slice MINUTE)
  AND feed_minute <= TIMESTAMP_ADD(moved_day, INTERVAL last_slice MINUTE)
GROUP BY feed_minute;

COMMIT TRANSACTION;
