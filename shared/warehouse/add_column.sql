{# A column joins in place and is NULL, or empty, for the rows that are there. #}
ALTER TABLE `{{ dataset }}.{{ table.name }}`
ADD COLUMN IF NOT EXISTS `{{ column.name }}` {{ "ARRAY<" ~ column.type ~ ">" if column.mode == "REPEATED" else column.type }}
OPTIONS (description = {{ column.description | tojson }})
