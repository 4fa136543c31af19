{#
  The lines of one minute that the warehouse has, and whether they are merged; one statement, so that a merge in between
  moves none out of sight.
#}
SELECT feed_line, LOGICAL_OR(merged) AS merged
FROM (
  SELECT feed_line, FALSE AS merged FROM `{{ dataset }}.{{ feed.name }}_staging` WHERE feed_minute = @minute
  UNION ALL
  SELECT feed_line, TRUE AS merged FROM `{{ dataset }}.{{ feed.name }}_history` WHERE feed_minute = @minute
)
GROUP BY feed_line
