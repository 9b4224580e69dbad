"""HTML made of pieces of which it is known where the addresses of links are: as it is written, and with `@` for them.

What is rewritten can so be held against the source itself, byte for byte, without asking our own reader where links are.
"""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st


class Written(NamedTuple):
    """Some HTML as it is written, the same with `@` in the place of each tracked address, and where those lead."""

    source: str
    masked: str
    targets: tuple[str, ...] = ()


def as_is(source: str) -> Written:
    """HTML without tracked addresses."""
    return Written(source, source)


def joined(parts: list[Written]) -> Written:
    """One after the other."""
    targets = tuple(target for part in parts for target in part.targets)
    return Written("".join(part.source for part in parts), "".join(part.masked for part in parts), targets)


TRACKED = [
    ("https://x.example/", "https://x.example/"),
    ("https://x.example/?a=1&amp;b=2", "https://x.example/?a=1&b=2"),
    ("https://x.example/?a=1&b=2&copy=3", "https://x.example/?a=1&b=2&copy=3"),
    ("HTTPS://X.example/é#f", "https://X.example/%C3%A9#f"),
    ("https&colon;//x.example/&#97;", "https://x.example/a"),
    ("https://x.example/{{ a }}", "https://x.example/{{ a }}"),
    ("https://x.example/{{ a | default: '<>' }}{{b|c:\"d\"}}", "https://x.example/{{ a | default: '<>' }}{{b|c:\"d\"}}"),
    ("https://x.example/?{% if a > 1 %}b=1{% endif %}", "https://x.example/?{% if a > 1 %}b=1{% endif %}"),
    ("https://x.example/\xa0", "https://x.example/%C2%A0"),
]
SPACED = [  # only between quotes
    (" https://x.example/a b ", "https://x.example/a%20b"),
    ("\r\nhttps://x.example/\r\nz", "https://x.example/z"),
    ("https://x.example/>", "https://x.example/%3E"),
]
LEFT = [
    "mailto:a@b.example?x=1&amp;y", "#top", "/page?a&amp;b", "", "{% mirror_url %}", "tel:1", "cid:i&amp;j",
    "javascript:x&amp;y",
]  # fmt: skip
ATTRIBUTES = [
    ' class="a b"', " class='a'", " CLASS=a", ' title="&amp; &nbsp;&copy; &lt;a href=1&gt; &"',
    " title='{{ a | default: \"x\" }}'",
    ' style="{% if a > 1 %}color:red{% else %}b{% endif %}"', ' alt="<a href=\'https://n.example/\'>"', " checked", " /",
    ' title="\xa0"', "\r\n\tid = 'q'", ' class="x" class="y"', ' data-href="https://n.example/"', ' {{ a }}="1"', " {{a}}",
    ' {% if b %}lang="de"{% endif %}', " width=100%", ' style="background:url(https://n.example/?a&amp;b)"', " x='>'",
]  # fmt: skip
TEXTS = [
    "text", " ", "\r\n", "\n", "\t", "\xa0", "é \U0001f600", "&amp;", "&nbsp;", "&#8203;", "&lt;p&gt;",
    "& && &x", " < 3", "a > b", '"', "'",
    "{ ", " }", "%", "https://n.example/?a&amp;b", "{{ a }}", "{{ '>' }}",
    '{{- "<a href=https://n.example/>" -}}', "{% if a > 1 %}",
    "{% else %}", "{% endif %}", "{%- for i in a -%}", "{% endfor %}", "{% assign x = '<!--' %}",
    "{% raw %}<a href='https://n.example/'>{{{% endraw %}", "{% comment %}<a href='https://n.example/'>{% endcomment %}",
]  # fmt: skip
TAGS = [
    "<p>", "</p>", "</a>", "<B>", "</b >", "<br/>", "<br />", "</a >", "</td></tr>", "<![if !vml]>",
    "<![endif]>", "<?xml version='1.0'?>",
    "<!DOCTYPE html>", "</ x>", "<link href='https://n.example/'>", "<abbr href='https://n.example/'>", "<o:p></o:p>",
    "<a name=x>", "<a href>", "<a>",
]  # fmt: skip
STYLES = [
    '<style>@media (max-width:600px){a[href="https://n.example/"] > b{color:red}}</style>',
    "<STYLE type='text/css'>\r\n<a href='https://n.example/'> &amp; {{ a }}\r\n</Style >",
    "<script>\"<a href=https://n.example/>\" && '<p>'</script>",
    "<title>{{ t }} <a href='https://n.example/'> &amp;</title>",
    "<textarea><a href='https://n.example/'></textarea>",
]
UNSEEN = "<v:rect href='https://n.example/'>"  # but in a conditional comment
COMMENTS = [
    "<!-- <a href='https://n.example/'> &amp; -->", "<!---->", "<!-->", "<!-- {{ a }} -->", "<!--{% if a %}-->", "<!-- x --!>",
]  # fmt: skip
ENDINGS = [
    "", "<a href='https://n.example/", "<p title=\"<a href='https://n.example/'>", "<!-- <a href='https://n.example/'>",
    "<style><a href='https://n.example/'>", "<td", "<", "<a href=https://n.example/",
]  # fmt: skip


@st.composite
def _tag(draw: st.DrawFn, names: list[str]) -> Written:
    """A tag that may lead somewhere; of two addresses only the first does, unless Liquid may choose between them."""
    before, after = draw(_attributes), draw(_attributes)
    first, *others = [draw(_address()) for _ in range(draw(st.sampled_from([1, 1, 1, 2])))]
    if "{%" not in "".join([before, after, first.source, *(other.source for other in others)]):
        others = [as_is(other.source) for other in others]
    name, end = draw(st.sampled_from(names)), draw(st.sampled_from(["", " ", "/", "\r\n"]))
    return joined([as_is(f"<{name}{before}"), first, *others, as_is(f"{after}{end}>")])


@st.composite
def _address(draw: st.DrawFn) -> Written:
    """The attribute that leads somewhere, with the blank before it and one after it."""
    quote = draw(st.sampled_from(['"', "'", ""]))
    tracked = [pair for pair in (TRACKED + SPACED if quote else TRACKED) if not _quotes(pair[0], quote)]
    source, target = draw(st.sampled_from(tracked) | st.sampled_from([(one, "") for one in LEFT if one or quote]))
    blank, name = draw(st.sampled_from([" ", "\n", "  "])), draw(st.sampled_from(["href", "HREF", "hRef"]))
    begin = blank + name + draw(st.sampled_from(["=", "=", " = ", "\r\n=\t"])) + quote
    return Written(f"{begin}{source}{quote} ", f"{begin}{'@' if target else source}{quote} ", (target,) if target else ())


def _quotes(source: str, quote: str) -> bool:
    """Whether the quote would end the value, were it not for Liquid around it."""
    outside = source.split("{{")[0]
    return bool(quote) and quote in outside


_attributes = st.lists(st.sampled_from(ATTRIBUTES), max_size=3).map("".join)
_links = _tag(["a", "A", "area", "AREA"])
_shapes = _tag(["v:roundrect", "V:RECT", "a"])
_plain = st.sampled_from([*TEXTS, *TAGS, *STYLES]).map(as_is) | st.builds("<td{}>".format, _attributes).map(as_is)
_hidden = st.lists(_plain | _shapes, max_size=4).map(joined).filter(lambda part: "-->" not in part.source)
_conditions = st.one_of(
    _hidden.map(lambda part: joined([as_is("<!--[if mso]>"), part, as_is("<![endif]-->")])),
    _hidden.map(lambda part: joined([as_is("<!--[if (gte mso 9)|(IE)]>"), part, as_is("<![endif]-->")])),
    st.lists(_plain | _links, max_size=3)
    .map(joined)
    .map(lambda part: joined([as_is("<!--[if !mso]><!-->"), part, as_is("<!--<![endif]-->")])),
)
_comments = st.sampled_from([*COMMENTS, UNSEEN]).map(as_is)
documents = st.tuples(st.lists(_plain | _links | _links | _conditions | _comments, max_size=12), st.sampled_from(ENDINGS)).map(
    lambda parts: joined([*parts[0], as_is(parts[1])])
)
