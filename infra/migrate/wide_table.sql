-- Move a wide domain table (one row per id; attributes and relationships as STRUCTs) into gti-mesh, without stopping.
-- docs/migrate.md says when and how. It writes history, base and the ledger directly; no merge reads the rows again.
--
-- Replace: vt_feeds (the mesh's dataset), predecessor.domains_snapshot (a snapshot of the wide table).
-- It may run any number of times, whole or in slices: a row's place depends on its id and the snapshot alone.

-- A day before the mesh's first minute. No package exists for it, so its lines conflict with no others. Keep it.
DECLARE moved_day TIMESTAMP DEFAULT TIMESTAMP '2025-01-01 00:00:00 UTC';
-- Ids are spread over the minutes of that day. Each run also reads and writes base whole, so take few slices.
DECLARE first_slice INT64 DEFAULT 0;
DECLARE last_slice INT64 DEFAULT 1439;
DECLARE first_minute TIMESTAMP;
DECLARE last_minute TIMESTAMP;
DECLARE new_generation TIMESTAMP;

SET first_minute = TIMESTAMP_ADD(moved_day, INTERVAL first_slice MINUTE);
SET last_minute = TIMESTAMP_ADD(moved_day, INTERVAL last_slice MINUTE);

BEGIN TRANSACTION;

-- A merge or a fold at the same time makes one of the two fail, and nothing has changed: run it again.
UPDATE `vt_feeds.domains_fence` SET `at` = CURRENT_TIMESTAMP() WHERE TRUE;

MERGE `vt_feeds.domains_history` AS history
USING (
  SELECT
    TIMESTAMP_ADD(moved_day, INTERVAL slice MINUTE) AS feed_minute,
    ROW_NUMBER() OVER (PARTITION BY slice ORDER BY id) AS feed_line,
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
    ) AS object
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
  WHERE slice >= first_slice AND slice <= last_slice
) AS moved
ON history.feed_minute = moved.feed_minute
  AND history.feed_line = moved.feed_line
  AND history.feed_minute >= first_minute
  AND history.feed_minute <= last_minute
WHEN NOT MATCHED THEN
  INSERT (feed_minute, feed_line, id, object)
  VALUES (moved.feed_minute, moved.feed_line, moved.id, moved.object);

-- As a fold does: the newest version of each id, of base and of the moved rows, is a new generation of base.
SET new_generation = (
  SELECT GREATEST(TIMESTAMP_TRUNC(CURRENT_TIMESTAMP(), HOUR), TIMESTAMP_ADD(MAX(generation), INTERVAL 1 HOUR))
  FROM `vt_feeds.domains_fence`
);

INSERT INTO `vt_feeds.domains_base` (
  id, folded_at,
  feed_minute, feed_line, last_analysis_date, last_modification_date, malicious, suspicious, harmless,
  undetected, reputation, gti_verdict, gti_severity, gti_score, tld, registrar, creation_date, last_update_date,
  expiration_date, jarm, popularity_rank, tags
)
SELECT
  id, new_generation,
  feed_minute, feed_line, last_analysis_date, last_modification_date, malicious, suspicious, harmless,
  undetected, reputation, gti_verdict, gti_severity, gti_score, tld, registrar, creation_date, last_update_date,
  expiration_date, jarm, popularity_rank, tags
FROM (
  SELECT
    id,
    feed_minute, feed_line, last_analysis_date, last_modification_date, malicious, suspicious, harmless,
    undetected, reputation, gti_verdict, gti_severity, gti_score, tld, registrar, creation_date, last_update_date,
    expiration_date, jarm, popularity_rank, tags
  FROM `vt_feeds.domains_base`
  UNION ALL
  SELECT
    id,
    feed_minute,
    feed_line,
    TIMESTAMP_SECONDS(IF(LAX_INT64(JSON_QUERY(object, '$.attributes.last_analysis_date')) BETWEEN -62135596800 AND 253402300799, LAX_INT64(JSON_QUERY(object, '$.attributes.last_analysis_date')), NULL)) AS last_analysis_date,
    TIMESTAMP_SECONDS(IF(LAX_INT64(JSON_QUERY(object, '$.attributes.last_modification_date')) BETWEEN -62135596800 AND 253402300799, LAX_INT64(JSON_QUERY(object, '$.attributes.last_modification_date')), NULL)) AS last_modification_date,
    LAX_INT64(JSON_QUERY(object, '$.attributes.last_analysis_stats.malicious')) AS malicious,
    LAX_INT64(JSON_QUERY(object, '$.attributes.last_analysis_stats.suspicious')) AS suspicious,
    LAX_INT64(JSON_QUERY(object, '$.attributes.last_analysis_stats.harmless')) AS harmless,
    LAX_INT64(JSON_QUERY(object, '$.attributes.last_analysis_stats.undetected')) AS undetected,
    LAX_INT64(JSON_QUERY(object, '$.attributes.reputation')) AS reputation,
    JSON_VALUE(object, '$.attributes.gti_assessment.verdict.value') AS gti_verdict,
    JSON_VALUE(object, '$.attributes.gti_assessment.severity.value') AS gti_severity,
    LAX_INT64(JSON_QUERY(object, '$.attributes.gti_assessment.threat_score.value')) AS gti_score,
    JSON_VALUE(object, '$.attributes.tld') AS tld,
    JSON_VALUE(object, '$.attributes.registrar') AS registrar,
    TIMESTAMP_SECONDS(IF(LAX_INT64(JSON_QUERY(object, '$.attributes.creation_date')) BETWEEN -62135596800 AND 253402300799, LAX_INT64(JSON_QUERY(object, '$.attributes.creation_date')), NULL)) AS creation_date,
    TIMESTAMP_SECONDS(IF(LAX_INT64(JSON_QUERY(object, '$.attributes.last_update_date')) BETWEEN -62135596800 AND 253402300799, LAX_INT64(JSON_QUERY(object, '$.attributes.last_update_date')), NULL)) AS last_update_date,
    TIMESTAMP_SECONDS(IF(LAX_INT64(JSON_QUERY(object, '$.attributes.expiration_date')) BETWEEN -62135596800 AND 253402300799, LAX_INT64(JSON_QUERY(object, '$.attributes.expiration_date')), NULL)) AS expiration_date,
    JSON_VALUE(object, '$.attributes.jarm') AS jarm,
    (
        SELECT MIN(SAFE_CAST(number AS INT64))
        FROM UNNEST(REGEXP_EXTRACT_ALL(
          TO_JSON_STRING(JSON_QUERY(object, '$.attributes.popularity_ranks')), r'[{,]\s*"rank":\s*([0-9]+)\s*[,}]'
        )) AS number
      ) AS popularity_rank,
    ARRAY(
        SELECT JSON_VALUE(element)
        FROM UNNEST(JSON_QUERY_ARRAY(IF(JSON_TYPE(JSON_QUERY(object, '$.attributes.tags')) = 'array', JSON_QUERY(object, '$.attributes.tags'), NULL))) AS element WITH OFFSET AS place
        WHERE JSON_VALUE(element) IS NOT NULL
        ORDER BY place
      ) AS tags
  FROM `vt_feeds.domains_history`
  WHERE feed_minute >= first_minute AND feed_minute <= last_minute
) AS observed
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY id
  ORDER BY
    COALESCE(last_analysis_date, TIMESTAMP_SECONDS(0)) DESC,
    COALESCE(last_modification_date, TIMESTAMP_SECONDS(0)) DESC,
    feed_minute DESC,
    feed_line DESC
) = 1;

DELETE FROM `vt_feeds.domains_base` WHERE folded_at < new_generation;

UPDATE `vt_feeds.domains_fence` SET generation = new_generation WHERE TRUE;

-- The accounts of the moved minutes, so that gti-mesh audit can compare history with them.
INSERT INTO `vt_feeds.minutes` (feed, minute, event, lines, rejected, `rows`, uri, `at`)
SELECT 'domains', feed_minute, 'merged', COUNT(*), 0, COUNT(*), 'predecessor.domains_snapshot', CURRENT_TIMESTAMP()
FROM `vt_feeds.domains_history`
WHERE feed_minute >= first_minute AND feed_minute <= last_minute
GROUP BY feed_minute;

COMMIT TRANSACTION;
