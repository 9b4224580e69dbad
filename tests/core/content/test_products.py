"""The list of products of `docs/content.md`: rows, columns, a limit, and words where there is nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.content.compile import thaw
from tests.core.content.test_compile import DRAFT, SIGNER, body, channel, frozen, message, row, tokens

DOCS = Path(__file__).parents[3] / "docs/content.md"
EXAMPLE = DOCS.read_text(encoding="utf-8").partition("## A list of products")[2].split("```")[1].removeprefix("liquid\n")
PRODUCTS = [{"sku": f"p {number}", "name": f"Tea <{number}>", "price": number + 0.5} for number in range(6)]


def shown(products: list[dict[str, Any]]) -> tuple[str, str, list[str | None]]:
    """The HTML, the text, and where its product links lead."""
    html = EXAMPLE + '<a href="{% unsubscribe_url %}">Leave</a>'
    content = frozen(replace(DRAFT, data={"products": products}, parts={**DRAFT.parts, "html": html}))
    program = thaw(content, SIGNER, channel())
    recipient = row(content)
    parsed = message(program, recipient)
    links = [one for one in tokens(body(parsed, "html")) if one.link == 1]
    targets = [program.link_target(recipient, one.link, one.link_occurrence) for one in links]
    return body(parsed, "html"), body(parsed, "plain"), targets


def test_the_first_ones_in_rows_the_others_in_columns() -> None:
    html, text, targets = shown(PRODUCTS)
    assert targets == [f"https://shop.example.com/p/p%20{number}" for number in range(3)]
    assert [f"Tea &lt;{number}&gt;" in html for number in range(6)] == [True] * 6
    assert html.count("</td><td>€") == 3
    assert html.count('<tr class="row') == 2
    assert "Tea <2>" in text
    assert "Nothing today" not in html


@pytest.mark.parametrize("count", [0, 1])
def test_words_for_an_empty_list(count: int) -> None:
    html, text, targets = shown(PRODUCTS[:count])
    assert len(targets) == count
    assert ("Nothing today" in html, "Nothing today" in text) == (count == 0, count == 0)
