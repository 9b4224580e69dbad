"""Templates of several families go all the way from their source to a message; see `templates/README.md`."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from channels.contract import OutgoingMessage, RecipientRow
from channels.email import EmailChannel
from core.channel_registry import check_config
from core.content.building import build_html
from core.content.compile import freeze, thaw, values
from core.content.html.inlining import inline_css
from core.content.html.markup import Kind, read
from core.content.links.rewriting import rewrite_html
from core.content.liquid import mask, spans
from core.content.records import ContentDraft
from render_ext import Identity, TokenKey, TokenSigner
from tests.core.authors import PARTS, SMTP

FOLDER = Path(__file__).parent / "templates"
FILES = sorted(path for path in FOLDER.glob("*/*") if path.suffix in (".html", ".mjml"))
FAMILIES = {"foundation-emails": 7, "mailgen": 4, "bootstrap-email": 3, "mjml": 25}
ZOE = {"id": 42, "first_name": "Zoë <3", "city": "Köln"}
DATA = {"products": [{"name": "Tea"}, {"name": "Cake"}], "foo": 1}
SIGNER = TokenSigner("https://t.example.com", TokenKey(1, b"k" * 32))
_LINK_TAG = re.compile(r"\{% link \d+ %\}|\{% endlink %\}")
_EJS = re.compile(r'(?P<href>(?<=href=")<%[-=].*?%>(?="))|<%(?P<print>[-=])?(?P<code>.*?)-?%>', re.DOTALL)
_STYLE = re.compile(r"""\sstyle\s*=\s*(?:"[^"]*"|'[^']*')""")


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def template(path: Path) -> str:
    """A template with its own style sheet, its own placeholders as Liquid, and ours after the first words."""
    source = path.read_bytes().decode()
    if path.parent.name == "foundation-emails":
        css = (path.parent / "foundation.css").read_text()
        source = re.sub(r"<link[^>]*foundation\.css[^>]*>", lambda _: f"<style>{css}</style>", source)
    source = _from_ejs(source).replace('href="http://"', 'href="https://shop.example.com/"')  # refused as it is: no host
    words = next((one for one in read(source) if one.kind is Kind.TEXT and _in_the_open(source, one.start)), None)
    return source if words is None else source[: words.end] + "{{ profile.first_name }}" + source[words.end :]


def _in_the_open(source: str, start: int) -> bool:
    at = max(source.find("<mj-body"), source.find("<body"))
    following = re.search(r"<p\b[^>]*>|<mj-text[^>]*>", source[at:]) if at >= 0 else None
    return following is not None and start >= at + following.end()


def _from_ejs(source: str) -> str:
    """`<%- x %>` as an output, `<% if (…) { %>` and loops as blocks."""
    opened: list[str] = []

    def liquid(match: re.Match[str]) -> str:
        if match["href"]:
            return "https://shop.example.com/{{ profile.id }}?a=1&amp;b=2"
        if match["print"]:
            return "{{ profile.city }}"
        code = match["code"].strip()
        if code.startswith("}") and code.endswith("{"):
            return "{% else %}"
        if code.startswith("}"):
            return opened.pop()
        if not code.endswith("{"):
            return ""
        opened.append("{% endif %}" if code.startswith("if") else "{% endfor %}")
        return "{% if profile.city %}" if code.startswith("if") else "{% for item in products %}"

    return _EJS.sub(liquid, source)


def liquid_of(source: str) -> list[str]:
    return [source[span.start : span.end] for span in spans(source)]


def test_the_families_are_there() -> None:
    counted = {family: sum(path.parent.name == family for path in FILES) for family in FAMILIES}
    assert counted == FAMILIES


@pytest.mark.parametrize("inline", [False, True], ids=["as-written", "inlined"])
@pytest.mark.parametrize("path", FILES, ids=named)
def test_from_source_to_message(path: Path, inline: bool) -> None:
    # Given a template
    source = template(path)
    draft = ContentDraft(
        name="x", label="X", channel="email", parts={**PARTS, "html": source}, data=DATA, inline_css=inline
    )  # fmt: skip
    # When it is prepared and rendered
    frozen = freeze(
        draft, EmailChannel.manifest, label="X", date=datetime(2030, 3, 1, tzinfo=UTC), seed="7", base_url=SIGNER.base_url
    )
    channel = EmailChannel({**check_config(EmailChannel.manifest, SMTP).config, "password": "s3cret"})
    row = RecipientRow(address="zoe@example.com", identity=Identity(7, 1, 42), values=values(frozen, ZOE))
    (sent,) = thaw(frozen, SIGNER, channel).render([row])
    # Then the message has both parts, every link is tracked, and nothing of Liquid is left
    assert isinstance(sent, OutgoingMessage)
    message = email.message_from_bytes(sent.body, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    bodies = {kind: message.get_body((kind,)) for kind in ("html", "plain")}
    html, text = (str(body.get_content()) if body is not None else "" for body in bodies.values())
    assert html.count("https://t.example.com/c/") >= len(frozen.links) - ("{% if" in source)
    assert "{{" not in html + text
    assert "lq0z" not in html + text
    assert ("Zoë &lt;3" in html) is ("profile.first_name" in source)
    assert text.strip()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_numbering_links_changes_nothing_but_links(path: Path) -> None:
    built = build_html(template(path), inline=False).html
    rewritten = rewrite_html(built)
    assert _LINK_TAG.sub("", rewritten.source) == _decoded_links(built)
    assert mask(_LINK_TAG.sub("", rewritten.source)) == mask(_decoded_links(built))


def _decoded_links(source: str) -> str:
    """The addresses of links as they are written into link tags: entities decoded."""
    return re.sub(r'(?<=href=")https?://[^"]*', lambda match: match[0].replace("&amp;", "&"), source)


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".html"], ids=named)
def test_inlining_changes_nothing_but_styles(path: Path) -> None:
    source = template(path)
    made = inline_css(source).source
    assert _STYLE.sub("", made) == _STYLE.sub("", source)
    assert inline_css(made).source == made
    assert liquid_of(made) == liquid_of(source)
    if path.parent.name == "foundation-emails":
        assert made.count("style=") > source.count("style=") + 40


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".mjml"], ids=named)
def test_mjml_keeps_every_piece_of_liquid(path: Path) -> None:
    source = template(path)
    assert set(liquid_of(build_html(source, inline=True).html)) == set(liquid_of(source))
