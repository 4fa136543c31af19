{#
  Macro for the moment before which a fold takes what was merged: a whole hour, and keep_hours of them stay, the current
  one counted. None takes everything, rows from the future too.
#}
{% macro cut(keep_hours) -%}
{% if keep_hours is none -%}
TIMESTAMP '9999-12-31 00:00:00+00'
{%- else -%}
TIMESTAMP_ADD(TIMESTAMP_TRUNC(CURRENT_TIMESTAMP(), HOUR), INTERVAL {{ 1 - keep_hours }} HOUR)
{%- endif %}
{%- endmacro %}
