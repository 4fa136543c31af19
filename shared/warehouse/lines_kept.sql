{# The lines of one minute that the warehouse has; one statement, so that a merge in between moves none out of sight. #}
SELECT DISTINCT feed_line
FROM (
  SELECT feed_line FROM `{{ dataset }}.{{ feed.name }}_staging` WHERE feed_minute = @minute
  UNION ALL
  SELECT feed_line FROM `{{ dataset }}.{{ feed.name }}_history` WHERE feed_minute = @minute
)
