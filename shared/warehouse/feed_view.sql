{# The view analysts query: one row per id, headline columns typed, the rest as JSON while history keeps it. #}
CREATE OR REPLACE VIEW `{{ dataset }}.{{ feed.name }}` (
  id OPTIONS (description = 'Identifier of the object at VirusTotal.'),
  feed_minute OPTIONS (description = 'Minute of the package that held the newest version (UTC).'),
  feed_line OPTIONS (description = 'Line of that package.'),
{% for column in feed.headline %}
  {{ column.name }} OPTIONS (description = {{ column.description | tojson }}),
{% endfor %}
{% if feed.source == "streams" %}
  object OPTIONS (description = 'The item as it was collected; NULL once history has expired.'),
{% endif %}
  attributes OPTIONS (description = 'Attributes as VirusTotal wrote them; NULL once history has expired.'),
  relationships OPTIONS (description = 'Relationships as VirusTotal wrote them; NULL once history has expired.'),
  context_attributes OPTIONS (description = 'Context attributes, on kinds that have them; NULL once history has expired.'),
  links OPTIONS (description = 'Links; NULL once history has expired.')
)
OPTIONS (description = {{ (feed.description ~ " One row per id, its newest version.") | tojson }})
AS
SELECT
  newest.id,
  newest.feed_minute,
  newest.feed_line,
{% for column in feed.headline %}
  newest.{{ column.name }},
{% endfor %}
{% if feed.source == "streams" %}
  history.object,
{% endif %}
  JSON_QUERY(history.object, '$.attributes') AS attributes,
  JSON_QUERY(history.object, '$.relationships') AS relationships,
  JSON_QUERY(history.object, '$.context_attributes') AS context_attributes,
  JSON_QUERY(history.object, '$.links') AS links
FROM `{{ dataset }}.{{ feed.name }}_current` AS newest
LEFT JOIN `{{ dataset }}.{{ feed.name }}_history` AS history
  ON history.feed_minute = newest.feed_minute
  AND history.feed_line = newest.feed_line
  AND history.id = newest.id
