"""The other engines of the render benchmark do the same work."""

from __future__ import annotations

import pytest

from loadtests.bench_render import VALUES, page
from loadtests.render_references import REFERENCES, check_same
from render_ext import compile


@pytest.mark.parametrize("against", REFERENCES)
@pytest.mark.parametrize("outputs", [50, 100])
def test_they_make_the_same_page(against: str, outputs: int) -> None:
    source = page(outputs, "https://shop.example/p/{n}?u={{{{ customer.{name} }}}}")
    ours = compile(source, escape="html").render_bytes(VALUES)
    assert b"O&#39;Neil" in ours
    assert b"Hat &amp; scarf 4" in ours
    check_same(ours, REFERENCES[against](source, VALUES)(), against)
    with pytest.raises(SystemExit, match=f"{against} made another page"):
        check_same(ours, REFERENCES[against](source + ".", VALUES)(), against)
