-- With WAL and synchronous=NORMAL a commit is a write without an fsync: committed data survives the end of the process,
-- including kill -9, and the file is never corrupt. Only a power failure can lose the last commits.
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
PRAGMA cache_size=-16000;

-- Topics and subscriptions, as the protobuf messages that clients sent. Ids are never reused, so the messages of a
-- deleted topic can never appear in a new topic of the same name.
CREATE TABLE IF NOT EXISTS resources (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE NOT NULL,
  config BLOB NOT NULL
);

-- Ids rise with the time of publishing, unless the clock is set back.
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  topic INTEGER NOT NULL,
  published_at REAL NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_by_time ON messages (topic, published_at);

-- Unacknowledged messages per subscription. available_at, in seconds of the machine's monotonic clock, is in the future
-- while a message is leased or backing off, and NULL while it waits for an earlier one of its ordering key.
CREATE TABLE IF NOT EXISTS deliveries (
  subscription INTEGER NOT NULL,
  message INTEGER NOT NULL,
  available_at REAL,
  attempts INTEGER NOT NULL,
  ordering_key TEXT NOT NULL,
  PRIMARY KEY (subscription, message)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_by_time ON deliveries (subscription, available_at);
CREATE INDEX IF NOT EXISTS deliveries_by_message ON deliveries (message);
CREATE INDEX IF NOT EXISTS deliveries_by_key ON deliveries (subscription, ordering_key, message)
  WHERE ordering_key <> '';

-- When a message is acknowledged, expires or is skipped by a seek, the next one of its ordering key becomes available.
CREATE TRIGGER IF NOT EXISTS next_of_key AFTER DELETE ON deliveries WHEN OLD.ordering_key <> '' BEGIN
  UPDATE deliveries SET available_at = 0 WHERE subscription = OLD.subscription AND available_at IS NULL AND message = (
    SELECT MIN(message) FROM deliveries
    WHERE subscription = OLD.subscription AND ordering_key = OLD.ordering_key AND ordering_key <> '');
END;

PRAGMA user_version = 1;
