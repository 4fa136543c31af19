{# What an analyst asks first: the worst of them. Sandboxes count no engines; there it is what they are surest of. #}
{% set names = feed.headline | map(attribute="name") | list %}
{% set worst = "malicious" if "malicious" in names else "verdict_confidence" %}
SELECT id, {{ worst }}, {{ feed.version[0] }}
FROM `{{ dataset }}.{{ feed.name }}`
WHERE {{ worst }} > 0
ORDER BY {{ worst }} DESC, id
LIMIT 5
