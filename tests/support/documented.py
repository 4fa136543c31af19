"""The queries of docs/warehouse.md, docs/threat-lists.md and docs/stream-tables.md by title, and others for moving."""

import re
from textwrap import dedent

from tests.support.paths import DOCS

_QUERY = re.compile(r"^### (?P<title>[^\n]+)\n.*?^```sql\n(?P<sql>.*?)^```", re.DOTALL | re.MULTILINE)


def _queries(page: str) -> dict[str, str]:
    return {found["title"]: found["sql"] for found in _QUERY.finditer((DOCS / page).read_text(encoding="utf-8"))}


DOCUMENTED = _queries("warehouse.md")
OF_LISTS = _queries("threat-lists.md")
OF_STREAMS = _queries("stream-tables.md")
_MOVING = (DOCS / "threat-lists.md").read_text(encoding="utf-8").partition("## Moving from a script")[2]
MOVING_LISTS = [dedent(sql) for sql in re.findall(r"^   ```sql\n(.*?)^   ```", _MOVING, re.DOTALL | re.MULTILINE)]
