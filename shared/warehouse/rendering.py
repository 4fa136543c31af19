"""Render the project's .sql files: BigQuery SQL with jinja2."""

from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined


def render(template: str, **values: object) -> str:
    """Render a template named `package/file.sql`; an undefined name in it is an error."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    # SQL, not HTML, so no escaping: all names are validated by shared.contracts.messages.Name and the settings.
    return Environment(  # noqa: S701
        loader=FunctionLoader(_read),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _read(template: str) -> str:
    package, _, file = template.partition("/")
    return resources.files(package).joinpath(file).read_text(encoding="utf-8")
