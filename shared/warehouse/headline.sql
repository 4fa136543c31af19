{# Macros for the columns that are promoted from an object. No value may make one fail: what does not fit is NULL. #}

{# Epoch seconds outside the years 1 to 9999 are an error in TIMESTAMP_SECONDS. #}
{% macro timestamp_seconds(number) -%}
TIMESTAMP_SECONDS(IF({{ number }} BETWEEN -62135596800 AND 253402300799, {{ number }}, NULL))
{%- endmacro %}

{# An array with a NULL element cannot be stored; what is no array, or no scalar in one, is left out. #}
{% macro strings(value) -%}
ARRAY(
        SELECT JSON_VALUE(element)
        FROM UNNEST(JSON_QUERY_ARRAY(IF(JSON_TYPE({{ value }}) = 'array', {{ value }}, NULL))) AS element WITH OFFSET AS place
        WHERE JSON_VALUE(element) IS NOT NULL
        ORDER BY place
      )
{%- endmacro %}

{% macro headline(column) -%}
{% set value = "JSON_QUERY(object, '$." ~ column.path ~ "')" -%}
{% if column.type == "STRING" -%}
JSON_VALUE(object, '$.{{ column.path }}')
{%- elif column.type == "TIMESTAMP" -%}
{{ timestamp_seconds("LAX_INT64(" ~ value ~ ")") }}
{%- elif column.type == "ARRAY<STRING>" -%}
{{ strings(value) }}
{%- else -%}
LAX_{{ column.type }}({{ value }})
{%- endif %}
{%- endmacro %}
