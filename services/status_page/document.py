"""The page as one self-contained document: its own styles and scripts, and a policy that allows no others."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

# In order of dependency.
_SCRIPTS = ("model.js", "paint.js", "map.js", "chart.js", "lists.js", "stream.js", "page.js")


@dataclass(frozen=True)
class Document:
    """The HTML, its Content-Security-Policy, and a tag that changes with it."""

    html: str
    policy: str
    etag: str


@cache
def document() -> Document:
    """Assemble the document, once."""
    style = _read("page.css")
    script = "\n".join(_read(name) for name in _SCRIPTS)
    html = _read("page.html").replace("/* style */", style).replace("/* script */", script)
    return Document(html, _policy(style=style, script=script), hashlib.sha256(html.encode()).hexdigest()[:16])


def _policy(*, style: str, script: str) -> str:
    # Reasons come from outside. Even if one got past textContent, it could not run scripts or send requests.
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return resources.files("services.status_page").joinpath("files", name).read_text(encoding="utf-8")
