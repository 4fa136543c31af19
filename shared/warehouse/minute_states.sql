SELECT minute, state, `at`, reason
FROM `{{ dataset }}.minute_status`
WHERE feed = @feed AND minute >= @first_minute AND minute <= @last_minute
ORDER BY minute
