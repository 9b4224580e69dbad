"""The page of the render benchmark in other template engines: the same source, the same values, the same bytes.

All three read the page as it is written for ours. Each is set up as fast as it goes, compiles once and escapes for HTML.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2
import liquid
import minijinja

SAME = {b"&#x27;": b"&#39;"}  # MiniJinja's spelling of an apostrophe


def jinja(source: str, values: dict[str, Any]) -> Callable[[], bytes]:
    """Jinja2 with autoescape."""
    template = jinja2.Environment(autoescape=True, keep_trailing_newline=True).from_string(source)
    return lambda: template.render(values).encode()


def mini_jinja(source: str, values: dict[str, Any]) -> Callable[[], bytes]:
    """MiniJinja, which escapes what is called .html."""
    environment = minijinja.Environment(templates={"page.html": source}, debug=False, keep_trailing_newline=True)
    return lambda: environment.render_template("page.html", **values).encode()


def python_liquid(source: str, values: dict[str, Any]) -> Callable[[], bytes]:
    """python-liquid with autoescape."""
    template = liquid.Environment(autoescape=True).from_string(source)
    return lambda: template.render(values).encode()


REFERENCES = {"Jinja2 autoescape": jinja, "MiniJinja": mini_jinja, "python-liquid autoescape": python_liquid}


def check_same(ours: bytes, theirs: bytes, against: str) -> None:
    """Raises SystemExit where another engine made another page."""
    for spelling, common in SAME.items():
        theirs = theirs.replace(spelling, common)
    if ours != theirs:
        raise SystemExit(f"{against} made another page than ours")
