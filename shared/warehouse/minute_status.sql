{% from "shared.warehouse/furthest.sql" import furthest %}
{#
  One row per feed minute: merged beats loaded, loaded beats landed, dead and absent, and of these the newest counts.
  A minute that was only asked for is due.
  A letter of type source_changed is about a minute that has landed, so any other event beats it.
  An account (lines, rows, ...) is the one of the furthest event that has it; reason, error_type and attempts belong to
  the state.
#}
CREATE OR REPLACE VIEW `{{ dataset }}.minute_status` (
  feed OPTIONS (description = 'Feed.'),
  minute OPTIONS (description = 'Minute of the feed (UTC).'),
  state OPTIONS (description = 'The furthest the minute has come: merged, loaded, landed, dead, absent or due.'),
  lines OPTIONS (description = 'Lines in the package, rejected ones included.'),
  rejected OPTIONS (description = 'Lines kept as rejects.'),
  bytes OPTIONS (description = 'Size of the decompressed package.'),
  `rows` OPTIONS (description = 'Rows in history when the minute was last merged.'),
  uri OPTIONS (description = 'Where the lines lie in Cloud Storage.'),
  job_id OPTIONS (description = 'The load job that brought them into staging.'),
  crc32c OPTIONS (description = 'The content: CRC32C of the decompressed package.'),
  reason OPTIONS (description = 'Why a dead minute is dead.'),
  attempts OPTIONS (description = 'Deliveries before a dead minute was given up.'),
  error_type OPTIONS (description = 'Why a dead minute is dead, of a closed list (shared/contracts/outcomes.py).'),
  `at` OPTIONS (description = 'When the state was reached (UTC).')
)
OPTIONS (description = 'One row per feed minute: the furthest it has come, and its accounts.')
AS
{{ furthest(dataset, "feed IS NOT NULL AND minute IS NOT NULL") -}}
