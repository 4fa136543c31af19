{#
  Macro for the first two statements of a transaction that writes recent, base or the fence. Of two transactions that
  update the same table BigQuery cancels one; without a row there is nothing to update, and no conflict. The script
  declares fence_rows INT64.
#}
{% macro take_fence(dataset, feed) -%}
UPDATE `{{ dataset }}.{{ feed.name }}_fence` SET `at` = CURRENT_TIMESTAMP() WHERE TRUE;
SET fence_rows = (
  SELECT IF(COUNT(*) > 0, COUNT(*), ERROR('{{ feed.name }}_fence has no row; run `gti-mesh provision`'))
  FROM `{{ dataset }}.{{ feed.name }}_fence`
);
{%- endmacro %}
