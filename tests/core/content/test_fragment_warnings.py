"""What is told of a fragment that can be saved."""

from __future__ import annotations

import pytest

from core.content.fragment_checks import fragment_warnings
from core.content.placements import NO_FRAGMENTS
from core.content.records import FragmentDraft, FragmentParameter


@pytest.mark.parametrize(
    ("html", "text", "unused"),
    [
        ("<p>x</p>", None, ["parameters.0", "parameters.1"]),
        ("<p>{{ title }}</p>", None, ["parameters.1"]),
        ("{% assign title = 'x' %}{{ title }}{{ url }}", None, ["parameters.0"]),
        ("<p>{{ title }}</p>", "{{ url }}", []),
        ("{% if title %}<a href='{{ url }}'>x</a>{% endif %}", None, []),
        ("{% assign title = title | upcase %}{{ title }}{% for x in url %}{{ x }}{% endfor %}", None, []),
        ("{{ [title].x }}{{ word[url] }}", None, []),
    ],
)
def test_parameters_that_are_never_read(html: str, text: str | None, unused: list[str]) -> None:
    parameters = (FragmentParameter(name="title"), FragmentParameter(name="url", optional=True))
    draft = FragmentDraft(name="x", label="X", html=html, text=text, parameters=parameters)
    found = fragment_warnings(draft, NO_FRAGMENTS)
    assert [one.part for one in found] == unused
    assert all(one.code == "PARAMETER_UNUSED" and one.hint for one in found)
