{# What the ledger knows of feeds' minutes since a moment; nothing but the ledger is read. #}
SELECT feed, minute, state, `at`, lines, rejected, `bytes`, reason, attempts, job_id
FROM `{{ dataset }}.minute_status`
WHERE feed IN UNNEST(SPLIT(@feeds, ',')) AND minute >= @first_minute
ORDER BY feed, minute
