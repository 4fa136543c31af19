"""The Pub/Sub in the box stays as small as docs/local-pubsub.md says."""

import ast
import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[3]
SERVER = ROOT / "infra/local/pubsub_server"
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(text: str) -> int:
    """Count the lines that hold something other than a comment or a docstring."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    held = {line for one in tokens if one.type not in LAYOUT for line in range(one.start[0], one.end[0] + 1)}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            docstring = node.body[0]
            held -= set(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    return len(held)


def test_lines_are_counted_as_the_page_says() -> None:
    """Neither blanks nor comments nor docstrings; each line of a call and of a text that is no docstring."""
    text = '"""Doc."""\n\n# why\ndef f() -> str:\n    """Do\n    it."""\n    return """a\n\n    b"""  # so\n'
    assert code_lines(text) == 1 + 3


def test_the_server_is_as_small_as_the_page_says() -> None:
    """Python and SQL, all files of its folder, faults and control endpoint included."""
    page = (ROOT / "docs/local-pubsub.md").read_text(encoding="utf-8")
    [(python, sql)] = re.findall(r"fewer than (\d+) lines of Python and (\d+) of SQL", page)
    assert sum(code_lines(file.read_text(encoding="utf-8")) for file in SERVER.glob("*.py")) < int(python) <= 600
    statements = (SERVER / "schema.sql").read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) and not line.startswith("--") for line in statements) < int(sql)
