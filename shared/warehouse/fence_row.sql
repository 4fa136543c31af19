{#
  The fence has one row, with the generation that base has. One statement replaces whatever rows there are; it conflicts
  with a merge or a fold at the same time, and one of the two runs again.
#}
MERGE `{{ dataset }}.{{ feed.name }}_fence` AS fence
USING (
  SELECT COALESCE(MAX(folded_at), TIMESTAMP_SECONDS(0)) AS generation, CURRENT_TIMESTAMP() AS written_at
  FROM `{{ dataset }}.{{ feed.name }}_base`
) AS found
ON FALSE
WHEN NOT MATCHED BY SOURCE THEN DELETE
WHEN NOT MATCHED THEN INSERT (generation, `at`) VALUES (found.generation, found.written_at)
