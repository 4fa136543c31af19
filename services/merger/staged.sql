{# Whether there is anything to merge; BigQuery answers it from the table's metadata and bills nothing. #}
SELECT COUNT(*) AS lines FROM `{{ dataset }}.{{ feed.name }}_staging`
