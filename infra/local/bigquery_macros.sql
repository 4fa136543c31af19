-- Functions whose result depends on the type of an argument. DuckDB binds each use once it knows the type.

-- An element of an ARRAY or of a JSON array, counted from 0. DuckDB counts lists from 1 and JSON arrays from 0.
CREATE OR REPLACE MACRO gti_mesh_element(container, place) AS
  container[place + CAST(typeof(container) <> 'JSON' AS INTEGER)];

-- STRING(value): a JSON string without its quotes.
CREATE OR REPLACE MACRO gti_mesh_string(value) AS
  CASE WHEN typeof(value) = 'JSON' THEN json_extract_string(CAST(value AS JSON), '$') ELSE CAST(value AS VARCHAR) END;

-- JSON_QUERY(value, path): JSON for JSON, STRING for STRING. The branch that is never taken sets the type.
CREATE OR REPLACE MACRO gti_mesh_json_query(value, path) AS
  CASE WHEN TRUE THEN CAST(json_extract(value, path) AS VARCHAR) ELSE value END;
