SELECT id, {{ feed.headline | rejectattr("type", "equalto", "ARRAY<STRING>") | map(attribute="name") | list | batch(4) | first | join(", ") }}
FROM `{{ dataset }}.{{ feed.name }}`
WHERE malicious > 0
ORDER BY malicious DESC, id
LIMIT 5
