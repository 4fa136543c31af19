-- With WAL and synchronous=NORMAL a commit is a write without an fsync: what is committed survives the end of the
-- process, kill -9 included, and the file is never corrupt. Only a power failure can take the last commits, and with
-- them goes everything else on this machine that they were about.
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
PRAGMA cache_size=-16000;

-- Topics and subscriptions, as the protobuf messages that clients sent. An id is never used again, so what belonged to
-- a deleted topic can never come up in another of the same name.
CREATE TABLE IF NOT EXISTS resources (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE NOT NULL,
  config BLOB NOT NULL
);

-- Ids rise with the time of publishing.
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  topic INTEGER NOT NULL,
  published_at REAL NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_by_time ON messages (topic, published_at);

-- What subscriptions have not acknowledged. available_at is in the future while a message is leased or backs off, and
-- far in the future (1e12) while it waits for an earlier one of its ordering key.
CREATE TABLE IF NOT EXISTS deliveries (
  subscription INTEGER NOT NULL,
  message INTEGER NOT NULL,
  available_at REAL NOT NULL,
  attempts INTEGER NOT NULL,
  ordering_key TEXT NOT NULL,
  PRIMARY KEY (subscription, message)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_by_time ON deliveries (subscription, available_at);
CREATE INDEX IF NOT EXISTS deliveries_by_message ON deliveries (message);
CREATE INDEX IF NOT EXISTS deliveries_by_key ON deliveries (subscription, ordering_key, message)
  WHERE ordering_key <> '';

-- Whatever ends a message, its acknowledgement, its retention or a seek: the next of its ordering key may go.
CREATE TRIGGER IF NOT EXISTS next_of_key AFTER DELETE ON deliveries WHEN OLD.ordering_key <> '' BEGIN
  UPDATE deliveries SET available_at = 0 WHERE subscription = OLD.subscription AND available_at = 1e12 AND message = (
    SELECT MIN(message) FROM deliveries
    WHERE subscription = OLD.subscription AND ordering_key = OLD.ordering_key AND ordering_key <> '');
END;
