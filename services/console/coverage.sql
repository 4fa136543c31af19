{# What the ledger knows of a feed's minutes since a moment; nothing but the ledger is read. #}
SELECT minute, state, `at`, lines, rejected, `bytes`, reason, attempts, job_id
FROM `{{ dataset }}.minute_status`
WHERE feed = @feed AND minute >= @first_minute
ORDER BY minute
