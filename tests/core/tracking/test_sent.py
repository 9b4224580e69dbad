"""What a template says about its links without being rendered."""

from __future__ import annotations

import pytest

from core.tracking.sent import unconditional_links


@pytest.mark.parametrize(
    ("source", "always"),
    [
        ("", set()),
        ("{% link 1 %}https://a.example/{% endlink %} {%- link 12 -%}https://b.example/{% endlink %}", {1, 12}),
        (
            "{% if profile.city %}{% link 1 %}x{% endlink %}{% else %}{% link 2 %}y{% endlink %}{% endif %}{% link 3 %}z{% endlink %}",
            {3},
        ),
        (
            "{% for one in products %}{% if one.new %}{% link 1 %}x{% endlink %}{% endif %}{% endfor %}{% link 2 %}y{% endlink %}",
            {2},
        ),
        ("{% unless a %}{% link 1 %}x{% endlink %}{% endunless %}", set()),
        ("{% assign a = 1 %}{% link 1 %}x{% endlink %}{% if a %}{% endif %}{% link 2 %}{{ 'if' }}{% endlink %}", {1, 2}),
        ("{% somethingnew %}{% link 1 %}x{% endlink %}{% endsomethingnew %}{% link 2 %}x{% endlink %}", {2}),
    ],
)
def test_links_that_no_condition_can_leave_out(source: str, always: set[int]) -> None:
    assert unconditional_links(source) == always
