{# How many rows history has of each minute in a range; one narrow column of the range's partitions is read. #}
SELECT feed_minute AS minute, COUNT(*) AS found
FROM `{{ dataset }}.{{ feed.name }}_history`
WHERE feed_minute >= @first_minute AND feed_minute <= @last_minute
GROUP BY feed_minute
