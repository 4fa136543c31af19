"""What Google's documentation requires of a parser, checked on its text.

Sources: docs.cloud.google.com/chronicle/docs, reference/parser-syntax and event-processing/parser-tips-troubleshooting.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial

from infra.local.secops.parsing.conditions import fields_of
from infra.local.secops.parsing.syntax import Choice, Filter, Loop, Statement, every_statement, read_parser
from infra.local.secops.parsing.udm import read_udm

# Names with a meaning of their own, which a variable must not have.
RESERVED = frozenset(
    {"collectiontimestamp", "createtimestamp", "event", "filename", "message", "namespace", "output"}
    | {"onerrorcount", "timestamp", "timezone"}
)
DROP_TAGS = frozenset({"TAG_UNSUPPORTED", "TAG_MALFORMED_ENCODING", "TAG_MALFORMED_MESSAGE", "TAG_NO_SECURITY_VALUE"})
# Variables that become a UDM message, by the name of their first part.
MESSAGES = {
    "event1.idm.read_only_udm": "UDM",
    "event2.idm.entity": "Entity",
    "noun": "Noun",
    "threat": "SecurityResult",
    "result": "SecurityResult",
    "verdict_info": "VerdictInfo",
    "certificate": "SSLCertificate",
    "dns": "DNSRecord",
    "label": "Label",
    "association": "Association",
    "collection": "ThreatCollectionItem",
    "vulnerability": "Vulnerability",
    "one_cve": "Vulnerability",
}
_ONE_PAIR = re.compile(r'=>\s*"[^"]*"\s+"[^"]*"\s*=>')
_TEMPLATE = re.compile(r"%\{([^}]+)\}")
_CONSTANT = re.compile(r"[^%]*\Z")


def problems_of(text: str, log: frozenset[str]) -> list[str]:
    """Return the errors of a parser, each with its line; `log` has the names that an item of its logs has."""
    block = read_parser(text)
    caught = partial(_errors_caught, log)
    checks: tuple[Callable[[Statement], Iterator[str]], ...] = (_mutate, _drop, caught, _names, _udm)
    found = [
        f"line {statement.line}: {problem}"
        for statement in every_statement(block)
        for check in checks
        for problem in check(statement)
    ]
    return [*_text(text), *found, *_conditions(block)]


def _text(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        code = "" if line.lstrip().startswith("#") else line
        if "\t" in line:
            yield f"line {number}: a tab"
        if "\\" in code:
            yield f"line {number}: a backslash, which is escaped differently by place"
        if _ONE_PAIR.search(code):
            yield f"line {number}: two pairs in one line"


def _mutate(statement: Statement) -> Iterator[str]:
    if not isinstance(statement, Filter) or statement.name != "mutate":
        return
    operations = [option for option in statement.options if option.name != "on_error"]
    if len(operations) != 1:
        yield "operations of one mutate are not run in the order of the text: one each"
    for operation in operations:
        if operation.name in {"merge", "rename", "copy", "convert"} and len(operation.pairs) != 1:
            yield f"more than one {operation.name} in one operation"
        if operation.name == "gsub" and (not operation.items or len(operation.items) % 3):
            yield "gsub takes threes: a field, what to replace, and with what"


def _drop(statement: Statement) -> Iterator[str]:
    if isinstance(statement, Filter) and statement.name == "drop" and statement.text("tag") not in DROP_TAGS:
        yield f"drop with the tag {statement.text('tag')!r}"


def _errors_caught(log: frozenset[str], statement: Statement) -> Iterator[str]:
    """A filter that reads the log, or that can fail on its input, has an on_error."""
    if not isinstance(statement, Filter) or statement.option("on_error"):
        return
    can_fail = statement.name in {"json", "date", "grok"} or statement.option("convert")
    replace = statement.option("replace")
    read = {path for _, value in (replace.pairs if replace else ()) for path in _TEMPLATE.findall(value.text)}
    if can_fail or any(path.split(".")[0] in log for path in read):
        yield f"{statement.name} without on_error"


def _names(statement: Statement) -> Iterator[str]:
    for name in _assigned(statement):
        if name.split(".")[0] in RESERVED:
            yield f"a variable is named {name}"
        if "-" in name:
            yield f"{name}: a hyphen in a name"


def _udm(statement: Statement) -> Iterator[str]:
    if not isinstance(statement, Filter):
        return
    for target, constant in _targets(statement):
        root = next((root for root in MESSAGES if target.startswith(f"{root}.")), None)
        if root is None:
            continue
        kind = read_udm().field_type(MESSAGES[root], target.removeprefix(f"{root}."))
        if kind is None:
            yield f"{target}: no such field in {MESSAGES[root]}"
        elif kind in read_udm().enums and constant and constant not in read_udm().enums[kind]:
            yield f"{target}: {constant} is no {kind}"


def _targets(statement: Filter) -> Iterator[tuple[str, str]]:
    """Yield each field that is set, with the text if it is a constant."""
    for option in statement.options:
        if option.name in {"replace", "merge", "copy"}:
            yield from (
                (name, value.text if option.name == "replace" and _CONSTANT.match(value.text) else "")
                for name, value in option.pairs
            )
        elif option.name == "rename":
            yield from ((value.text, "") for _, value in option.pairs)
        elif option.name == "target":
            yield option.text, ""


def _assigned(statement: Statement) -> Iterator[str]:
    if isinstance(statement, Loop):
        yield from statement.names
    elif isinstance(statement, Filter):
        yield from (name for name, _ in _targets(statement))


def _conditions(block: tuple[Statement, ...], known: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield every condition on a variable that may not exist: there an `if` ends the parser, and has no on_error."""
    names = set(known)
    for statement in block:
        match statement:
            case Filter():
                names |= _surely_set(statement)
            case Choice():
                yield from _of_choice(statement, names)
            case Loop():
                yield from _conditions(statement.block, frozenset(names | set(statement.names)))


def _of_choice(statement: Choice, names: set[str]) -> Iterator[str]:
    for branch in statement.branches:
        for path in sorted(fields_of(branch.condition) - names) if branch.condition else ():
            yield f"line {statement.line}: [{path}] may not exist"
        yield from _conditions(branch.block, frozenset(names))


def _surely_set(statement: Filter) -> set[str]:
    """Return the variables that exist after a filter, whether it failed or not."""
    flag = {statement.text("on_error")} - {""}
    replace = statement.option("replace")
    constant = replace is not None and not any(_TEMPLATE.search(value.text) for _, value in replace.pairs)
    return flag | ({name for name, _ in replace.pairs} if replace and constant else set())
