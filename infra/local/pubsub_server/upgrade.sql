-- From version 0, in which a message that waited for its ordering key was due at 1e12.
BEGIN;
DROP TRIGGER next_of_key;
DROP INDEX deliveries_by_time;
DROP INDEX deliveries_by_message;
DROP INDEX deliveries_by_key;
ALTER TABLE deliveries RENAME TO deliveries_of_version_0;
CREATE TABLE deliveries (
  subscription INTEGER NOT NULL,
  message INTEGER NOT NULL,
  available_at REAL,
  attempts INTEGER NOT NULL,
  ordering_key TEXT NOT NULL,
  PRIMARY KEY (subscription, message)
) WITHOUT ROWID;
INSERT INTO deliveries
  SELECT subscription, message, NULLIF(available_at, 1e12), attempts, ordering_key FROM deliveries_of_version_0;
DROP TABLE deliveries_of_version_0;
COMMIT;
