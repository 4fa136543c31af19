{% from "shared.warehouse/furthest.sql" import furthest %}
{# Only a load says how many lines there were; a merge alone does not. #}
SELECT minute, state, `at`, reason, error_type, state <> 'merged' OR lines IS NOT NULL AS counted, `rows`, crc32c, job_id
FROM (
{{ furthest(dataset, "feed = @feed AND minute >= @first_minute AND minute <= @last_minute") -}}
) AS status
ORDER BY minute
