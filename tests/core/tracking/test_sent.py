"""What a template says about its links without being rendered."""

from __future__ import annotations

import pytest

from core.tracking.sent import unconditional_links

A, B, C = (f"{{% link {n} %}}https://shop.example/{{% endlink %}}" for n in (1, 2, 12))


@pytest.mark.parametrize(
    ("source", "always"),
    [
        ("", set()),
        (f"{A} {C.replace('{%', '{%-').replace('%}', '-%}')}", {1, 12}),
        (f"{{% if profile.city %}}{A}{{% else %}}{B}{{% endif %}}{C}", {12}),
        (f"{{% for one in products %}}{{% if one.new %}}{A}{{% endif %}}{{% endfor %}}{B}", {2}),
        (f"{{% unless a %}}{A}{{% endunless %}}", set()),
        (f"{{% assign a = 1 %}}{A}{{% if a %}}{{% endif %}}{B}{{{{ 'if' }}}}", {1, 2}),
        (f"{{% somethingnew %}}{A}{{% endsomethingnew %}}{B}", {2}),
    ],
)
def test_links_that_no_condition_can_leave_out(source: str, always: set[int]) -> None:
    assert unconditional_links(source) == always
