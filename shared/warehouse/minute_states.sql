{# Only a load says how many lines there were; a merge alone does not. #}
SELECT minute, state, `at`, reason, state <> 'merged' OR lines IS NOT NULL AS counted
FROM `{{ dataset }}.minute_status`
WHERE feed = @feed AND minute >= @first_minute AND minute <= @last_minute
ORDER BY minute
