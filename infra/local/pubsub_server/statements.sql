-- The server's statements, by name.

-- name: read_resources
SELECT id, name, config FROM resources;

-- name: store_resource
INSERT INTO resources (name, config) VALUES (:name, :config)
ON CONFLICT (name) DO UPDATE SET config = excluded.config RETURNING id;

-- name: delete_resource
DELETE FROM resources WHERE id = :id;

-- name: delete_backlog
DELETE FROM deliveries WHERE subscription = :subscription;

-- name: insert_message
INSERT INTO messages (topic, published_at, body) VALUES (:topic, :published_at, :body) RETURNING id;

-- name: read_message
SELECT published_at, body FROM messages WHERE id = :message;

-- name: messages_since
SELECT id, body FROM messages WHERE topic = :topic AND published_at >= :since ORDER BY published_at;

-- name: delete_message_unless_awaited
DELETE FROM messages WHERE id = :message AND NOT EXISTS (SELECT 1 FROM deliveries WHERE message = id);

-- name: delete_messages_before
DELETE FROM messages
WHERE topic = :topic AND published_at < :before AND NOT EXISTS (SELECT 1 FROM deliveries WHERE message = id);

-- name: enqueue
-- A message waits for earlier ones of its ordering key.
INSERT OR IGNORE INTO deliveries (subscription, message, available_at, attempts, ordering_key)
SELECT :subscription, :message, IIF(EXISTS (
  SELECT 1 FROM deliveries WHERE subscription = :subscription AND ordering_key = :ordering_key AND ordering_key <> ''
), NULL, :available_at), 0, :ordering_key;

-- name: acknowledge
DELETE FROM deliveries WHERE subscription = :subscription AND message = :message;

-- name: acknowledge_before
-- Ids rise with time, so one index lookup finds the last message to delete. If the clock was set back, some messages
-- before it can have a later date.
DELETE FROM deliveries WHERE subscription = :subscription AND message <= (
  SELECT id FROM messages WHERE topic = :topic AND published_at < :before ORDER BY published_at DESC, id DESC LIMIT 1
) AND (SELECT published_at FROM messages WHERE id = message) < :before;

-- name: due_oldest_first
SELECT message, attempts FROM deliveries WHERE subscription = :subscription AND available_at <= :now
ORDER BY available_at, message LIMIT :limit;

-- name: due_newest_first
SELECT message, attempts FROM deliveries WHERE subscription = :subscription AND available_at <= :now
ORDER BY available_at DESC, message DESC LIMIT :limit;

-- name: next_due
-- NULL if there is no message, or if all messages wait for their ordering keys.
SELECT MIN(available_at) FROM deliveries WHERE subscription = :subscription;

-- name: begin_lease
UPDATE deliveries SET available_at = :ends, attempts = attempts + 1
WHERE subscription = :subscription AND message = :message AND attempts = :attempts;

-- name: set_available
-- Another delivery of the message has another attempt number.
UPDATE deliveries SET available_at = :available_at
WHERE subscription = :subscription AND message = :message AND attempts = :attempts;

-- name: find_lease
SELECT available_at FROM deliveries
WHERE subscription = :subscription AND message = :message AND attempts = :attempts;

-- name: end_all_leases
UPDATE deliveries SET available_at = 0 WHERE available_at > :now;

-- name: count_backlog
SELECT COUNT(*), (
  SELECT published_at FROM messages JOIN deliveries AS oldest ON oldest.message = messages.id
  WHERE oldest.subscription = :subscription ORDER BY oldest.message LIMIT 1
) FROM deliveries WHERE subscription = :subscription;
