{# Macros for the version order: which of two observations of an id is newer. #}

{# A missing date is the oldest: 1970. #}
{% macro version(feed, side, column) -%}
{% if column in feed.version -%}
COALESCE({{ side }}.{{ column }}, TIMESTAMP_SECONDS(0))
{%- else -%}
{{ side }}.{{ column }}
{%- endif %}
{%- endmacro %}

{# For ORDER BY: the newest first. #}
{% macro newest_first(feed, side) -%}
{% for column in feed.version | list + ["feed_minute", "feed_line"] -%}
{{ version(feed, side, column) }} DESC{{ ", " if not loop.last }}
{%- endfor %}
{%- endmacro %}

{#
  Whether a is newer than b: never NULL. Written out column by column, because GoogleSQL compares structs for equality
  only.
#}
{% macro is_newer(feed, a, b) -%}
{% set order = feed.version | list + ["feed_minute", "feed_line"] -%}
{% for column in order -%}
{% set ours, theirs = version(feed, a, column), version(feed, b, column) -%}
{{ ours }} > {{ theirs }}{% if not loop.last %} OR ({{ ours }} = {{ theirs }} AND ({% endif %}
{%- endfor %}
{{ "))" * (order | length - 1) }}
{%- endmacro %}

{# The columns of a version, without the id. #}
{% macro columns(feed, side="") -%}
{% for name in ["feed_minute", "feed_line"] + feed.headline | map(attribute="name") | list -%}
{{ side ~ "." if side }}{{ name }}{{ ", " if not loop.last }}
{%- endfor %}
{%- endmacro %}
