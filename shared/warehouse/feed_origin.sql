{# Where a feed begins: its first planned minute, and the first and last minute of which the ledger knows anything else. #}
SELECT
  MIN(IF(event = 'planned', minute, NULL)) AS planned,
  MIN(IF(event IN ('planned', 'asked', 'replaced'), NULL, minute)) AS first,
  MAX(IF(event IN ('planned', 'asked', 'replaced'), NULL, minute)) AS last
FROM `{{ dataset }}.minutes`
WHERE feed = @feed AND minute >= @first_minute AND minute <= @last_minute
