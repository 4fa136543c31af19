{# Every line of some minutes in history; it reads whole objects. #}
SELECT feed_minute, feed_line, id, TO_JSON_STRING(object) AS object
FROM `{{ dataset }}.{{ feed.name }}_history`
WHERE feed_minute >= @first_minute AND feed_minute <= @last_minute
