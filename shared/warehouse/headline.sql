{# Macros for the columns that are promoted from an object. No value may make one fail: what does not fit is NULL. #}

{# Epoch seconds outside the years 1 to 9999 are an error in TIMESTAMP_SECONDS. #}
{% macro timestamp_seconds(number) -%}
TIMESTAMP_SECONDS(IF({{ number }} BETWEEN -62135596800 AND 253402300799, {{ number }}, NULL))
{%- endmacro %}

{# An array with a NULL element cannot be stored; other values than arrays of scalars, or of what is at `at`, are left out. #}
{% macro strings(value, at) -%}
{% set text = "JSON_VALUE(element, '$." ~ at ~ "')" if at else "JSON_VALUE(element)" -%}
ARRAY(
        SELECT {{ text }}
        FROM UNNEST(JSON_QUERY_ARRAY(IF(JSON_TYPE({{ value }}) = 'array', {{ value }}, NULL))) AS element WITH OFFSET AS place
        WHERE {{ text }} IS NOT NULL
        ORDER BY place
      )
{%- endmacro %}

{#
  The least of the numbers under one key, in an object with arbitrary other keys: a JSON path has no wildcard.
  Inside a string a quote is written \", so what follows { or , and stands in bare quotes is a key and nothing else.
#}
{% macro least(path) -%}
{% set within, key = path.split(".*.") -%}
(
        SELECT MIN(SAFE_CAST(number AS INT64))
        FROM UNNEST(REGEXP_EXTRACT_ALL(
          TO_JSON_STRING(JSON_QUERY(object, '$.{{ within }}')), r'[{,]\s*"{{ key }}":\s*([0-9]+)\s*[,}]'
        )) AS number
      )
{%- endmacro %}

{% macro headline(column) -%}
{% set path, _, at = column.path.partition("[].") -%}
{% set value = "JSON_QUERY(object, '$." ~ path ~ "')" -%}
{% if column.type == "STRING" -%}
JSON_VALUE(object, '$.{{ column.path }}')
{%- elif column.type == "TIMESTAMP" and column.as_text -%}
SAFE_CAST(JSON_VALUE(object, '$.{{ column.path }}') AS TIMESTAMP)
{%- elif column.type == "TIMESTAMP" -%}
{{ timestamp_seconds("LAX_INT64(" ~ value ~ ")") }}
{%- elif column.type == "ARRAY<STRING>" -%}
{{ strings(value, at) }}
{%- elif ".*." in column.path -%}
{{ least(column.path) }}
{%- else -%}
LAX_{{ column.type }}({{ value }})
{%- endif %}
{%- endmacro %}

{# The select list of an observation: its key, and every headline column read from its object. #}
{% macro observation(feed) -%}
id,
    feed_minute,
    feed_line
{%- for column in feed.headline -%}
,
    {{ headline(column) }} AS {{ column.name }}
{%- endfor %}
{%- endmacro %}
