"""The warehouse: its tables, its views, and the SQL that fills and reads them."""
