"""Addresses that lead nowhere, to whom a recipient's values say, or into a script, wherever they stand."""

from __future__ import annotations

import pytest

from tests.core.content.checks.test_checks import codes, refused


@pytest.mark.parametrize(
    "address", ["//{{ profile.city }}/x", "\\\\{{ word }}/x", "/\\{{ word }}", "///{{ word }}", "//a{{ word }}"]
)
def test_a_host_that_liquid_chooses_is_refused_without_a_scheme_too(address: str) -> None:
    assert [code for code, _ in refused(f"<a href='{address}'>x</a>")] == ["LINK_NOT_LITERAL"]


@pytest.mark.parametrize(
    "address",
    [
        "https://a..example/",
        "https://.a.example",
        "https://a.example:99999/",
        f"https://{'a' * 64}.example/",
        "https://a.example:" + "9" * 5000,
    ],
)
def test_hosts_that_cannot_be(address: str) -> None:
    assert [code for code, _ in refused(f"<a href='{address}'>x</a>")] == ["LINK_INVALID"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("localhost:8000/x", ["RELATIVE_LINK"]),
        ("example.com:80/x", ["RELATIVE_LINK"]),
        ("example.com:80", ["RELATIVE_LINK"]),
        ("intranet:8080/x", ["RELATIVE_LINK"]),
        ("//a.example/{{ word }}", ["RELATIVE_LINK"]),
        ("htps://a.example/", ["LINK_SCHEME"]),
        ("htttp://a.example/", ["LINK_SCHEME"]),
        ("malto:a@b.example", ["LINK_SCHEME"]),
        ("file:///x", ["LINK_SCHEME"]),
        ("blob:x", ["LINK_SCHEME"]),
        ("mailto:", ["EMPTY_LINK"]),
        (" TEL: ", ["EMPTY_LINK"]),
        ("https://-a-.example/", ["LINK_PRIVATE_HOST"]),
        ("https://x.test/", ["LINK_PRIVATE_HOST"]),
        ("https://x.onion/", ["LINK_PRIVATE_HOST"]),
        ("tel:123", []),
        ("sms:12345", []),
        ("mailto:?subject=x", []),
        ("mailto:{{ profile.email }}", []),
        ("whatsapp://send?text=x", []),
        ("webcal://a.example/", []),
        ("ftp://a.example/", []),
        ("https://a.example.:65535/{{ word }}", []),
        ("https://a_b.xn--bcher-kva.example:080/", []),
        ("https://test.example/", []),
    ],
)
def test_addresses_of_links(address: str, expected: list[str]) -> None:
    assert codes(f"<a href='{address}'>x</a>") == expected


@pytest.mark.parametrize(
    "source",
    [
        "<svg><a xlink:href='javascript:x'>x</a></svg>",
        "<form action='java&#10;script:x'></form>",
        "<button formaction=' JavaScript:x'>x</button>",
        "<iframe src='data:text/html,x'></iframe>",
        "<embed src='javascript:x'>",
        "<object data='vbscript:x'></object>",
        "<td background='javascript:x'>",
        "<base href='javascript:x'>",
        "<meta http-equiv=Refresh content='0; url=javascript:x'>",
        "<a href='javascript:1/x'>x</a>",
    ],
)
def test_scripts_are_refused_wherever_an_address_is_followed(source: str) -> None:
    assert [code for code, _ in refused(source)] == ["LINK_SCRIPT"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<meta http-equiv=refresh content='0;url=https://a.example/'><meta name=viewport content='width=device-width'>", []),
        ("<img alt='' src='data:image/png;base64,x'><td background='data:image/png;base64,x'>", []),
        ("<form action='https://a.example/'><button formaction='https://a.example/'>x</button></form>", []),
        ("<object data='https://a.example/x'></object><p title='javascript:x'>x</p>", []),
        ("<img alt='' srcset='http://localhost/a.png 1x, https://b.example/a.png 2x'>", ["LINK_PRIVATE_HOST"]),
        ("<td background='http://10.0.0.1/x'>", ["LINK_PRIVATE_HOST"]),
        ("<form action='http://intranet/x'>", ["LINK_PRIVATE_HOST"]),
        ("<img alt='' src='https://{{ profile.id }}/x.png'>", ["IMAGE_NOT_LITERAL"]),
        ("<img alt='' src='https://{{ word }}/x.png'><img alt='' src='https://a.example/{{ profile.id }}.png'>", []),
        ("<img alt='' src='{{ profile.thumbnail_url | default: word }}'>", []),
    ],
)
def test_addresses_elsewhere(source: str, expected: list[str]) -> None:
    assert codes(source) == expected
