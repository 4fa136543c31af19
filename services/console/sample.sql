SELECT id, malicious, gti_verdict, last_analysis_date
FROM `{{ dataset }}.{{ feed.name }}`
WHERE malicious > 0
ORDER BY malicious DESC, id
LIMIT 5
