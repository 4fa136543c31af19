{#
  Rows that one of two tables has and the other has not. EXCEPT takes no arrays, so they are compared as text.
#}
{% macro rows(table) %}
SELECT id{% for column in columns %}, {{ "TO_JSON_STRING(" ~ column.name ~ ")" if column.mode == "REPEATED" else column.name }}{% endfor %}

FROM `{{ dataset }}.{{ table }}`
{% endmacro %}
SELECT
  (SELECT COUNT(*) FROM (
{{ rows(first) -}}
EXCEPT DISTINCT
{{ rows(second) -}}
  )) + (SELECT COUNT(*) FROM (
{{ rows(second) -}}
EXCEPT DISTINCT
{{ rows(first) -}}
  )) + ABS(
    (SELECT COUNT(*) FROM `{{ dataset }}.{{ first }}`) - (SELECT COUNT(*) FROM `{{ dataset }}.{{ second }}`)
  ) AS different_rows
