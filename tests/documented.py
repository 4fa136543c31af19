"""The queries of docs/warehouse.md, by title."""

import re
from pathlib import Path

_PAGE = Path(__file__).parents[1] / "docs" / "warehouse.md"
_QUERY = re.compile(r"^### (?P<title>[^\n]+)\n.*?^```sql\n(?P<sql>.*?)^```", re.DOTALL | re.MULTILINE)

DOCUMENTED = {found["title"]: found["sql"] for found in _QUERY.finditer(_PAGE.read_text(encoding="utf-8"))}
