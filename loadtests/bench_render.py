"""The engine beside its references, one core, garbage collector off.

- `render_page`: a 32 KB HTML page (50 outputs of which 30 stand in links, 5 conditions, a loop of 5) escaped to bytes, against
  Jinja2 with autoescape; `render_page_minijinja`, `render_page_liquid` (python-liquid) and `render_page_copy`: the same against
  the others, and against copying the result.
- `render_page_100` and the same three: with 100 outputs. `compile_page`: compiling 100 KB of it. `render_many`: 1,000 rows in
  one call; `render_many_text`: the same of a line of text. A thousand pages are 33 MB: memory is what both wait for.
- `email_message`: a whole message (32 KB HTML + text, 20 tracked links), against the standard library's `email` given both
  parts already rendered.
- `email_dkim_ed25519`, `email_dkim_rsa_2048`: what signing that message costs beyond rendering it, against one bare signature
  and one SHA-256 of its body; `indented`: the same of HTML with indented lines, whose body has to be put in another form first.
- `token`: one token, natively, against the same made with hashlib and base64.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import jinja2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from loadtests.figures import alternate, print_figure
from loadtests.render_references import REFERENCES, check_same
from render_ext import (
    DkimKey,
    DkimSelector,
    EmailRow,
    EmailSource,
    Identity,
    Program,
    TokenKey,
    TokenKind,
    TokenSigner,
    compile,
    retain_memory,
)

RUNS = int(os.environ.get("RUNS", "9"))
PAGE_BYTES = 32_000
DATE = datetime(2025, 1, 2, tzinfo=UTC)
SIGNER = TokenSigner("https://track.example.com", TokenKey(1, bytes(range(32))))
FILLER = '<td style="padding:0 12px;font-family:Arial,sans-serif;color:#333333">Lorem ipsum dolor sit amet</td>\n'
NAMES = ["first_name", "last_name", "email", "city", "points"]
VALUES: dict[str, Any] = {
    "customer": {
        "first_name": "Zoë",
        "last_name": "O'Neil",
        "email": "zoe@example.com",
        "city": "Paris",
        "points": 1234,
        "vip": True,
    },
    "products": [{"name": f"Hat & scarf {n}", "price": f"{n}.99"} for n in range(5)],
}
ROW = EmailRow(address="zoe@example.com", identity=Identity(12, 1, 1_234_567), values=VALUES, name="Zoë O'Neil")
CONDITION = "{% if customer.vip %}<b>VIP</b>{% else %}<i>welcome</i>{% endif %}\n"
LOOP = "{% for p in products %}<li>{{ p.name }} {{ p.price }}</li>{% endfor %}\n"
PLAIN = "Hello {{ customer.first_name }}\n" + "A line of the text part, as long as most are.\n" * 40


def page(outputs: int, link: str) -> str:
    """A page of 32 KB; `link` is the form of its 30 links. The loop prints two values of each item, so it counts as two."""
    pieces = [f'<a href="{link.format(n=n, name=NAMES[n % 5])}">item</a>\n' for n in range(min(30, outputs))]
    pieces += [f"<p>Dear {{{{ customer.{NAMES[n % 5]} }}}}</p>\n" for n in range(outputs - 2 - len(pieces))]
    pieces += [CONDITION] * 5 + [LOOP]
    room = PAGE_BYTES - sum(len(piece) for piece in pieces)
    filler = FILLER * max(1, int(room / len(FILLER) / len(pieces)))
    found = filler.join(pieces)
    return found + FILLER * max(0, round((PAGE_BYTES - len(found)) / len(FILLER)))


def microseconds(work: Callable[[], object], times: int) -> float:
    """Microseconds of one call, the mean of many."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times * 1e6


def bench_page(name: str, outputs: int) -> None:
    """Pages per second against other engines and against a copy."""
    source = page(outputs, "https://shop.example/p/{n}?u={{{{ customer.{name} }}}}")
    program = compile(source, escape="html")
    result = memoryview(program.render_bytes(VALUES))
    for ending, against in (("", "Jinja2 autoescape"), ("_minijinja", "MiniJinja"), ("_liquid", "python-liquid autoescape")):
        theirs = REFERENCES[against](source, VALUES)
        check_same(bytes(result), theirs(), against)
        beside(f"{name}{ending}", program, theirs, 100, against, len(result))
    beside(f"{name}_copy", program, lambda: bytes(result), 20_000, "bytes(memoryview(result))", len(result))


def beside(name: str, program: Program, reference: Callable[[], object], times: int, against: str, size: int) -> None:
    """Our pages per second, and a reference's."""
    mine, other = alternate(
        RUNS, lambda: microseconds(lambda: program.render_bytes(VALUES), 3000), lambda: microseconds(reference, times)
    )
    print_speed(name, mine, other, "pages/s", against, bytes=size)


def bench_many() -> None:
    """A thousand rows in one call against a thousand calls."""
    pages = compile(page(50, "https://shop.example/p/{n}?u={{{{ customer.{name} }}}}"), escape="html")
    texts = compile("Hello {{ customer.first_name }}, your order is ready in {{ customer.city }}. Reply STOP to end.")
    rows = [VALUES] * 1000
    for name, program, times, unit in (("render_many", pages, 3, "pages/s"), ("render_many_text", texts, 30, "texts/s")):
        mine, other = alternate(
            RUNS,
            lambda: microseconds(lambda: program.render_many(rows), times) / 1000,  # noqa: B023 (called at once)
            lambda: microseconds(lambda: [program.render_bytes(row) for row in rows], times) / 1000,  # noqa: B023
        )
        print_speed(name, mine, other, unit, "1,000 calls of render_bytes", bytes=len(program.render_bytes(VALUES)))


def bench_compile() -> None:
    """Compiling 100 KB."""
    source = page(50, "https://shop.example/p/{n}?u={{{{ customer.{name} }}}}") * 3
    environment = jinja2.Environment(autoescape=True)
    mine, other = alternate(
        RUNS,
        lambda: microseconds(lambda: compile(source, escape="html"), 5) / 1000,
        lambda: microseconds(lambda: environment.from_string(source), 3) / 1000,
    )
    print_figure("compile_page", mine, other, unit="ms", against="Jinja2 compile", bytes=len(source))


def message_source() -> EmailSource:
    """A whole message: the page, of whose links the first twenty are tracked, and a short text part."""
    link = "{{% link {n} %}}https://shop.example/p/{n}?u={{{{ customer.{name} }}}}{{% endlink %}}"
    html = page(50, "https://shop.example/p/{n}?u={{{{ customer.{name} }}}}")
    for n in range(20):
        old = f"https://shop.example/p/{n}?u={{{{ customer.{NAMES[n % 5]} }}}}"
        html = html.replace(f'"{old}"', f'"{link.format(n=n, name=NAMES[n % 5])}"')
    return EmailSource(
        subject="Hello {{ customer.first_name }}, your spring offers",
        html=html,
        text=PLAIN,
        from_address="shop@example.com",
        from_name="Shop",
        message_id_domain="mail.example.com",
        date=DATE,
        seed="bench",
    )


def bench_email() -> None:
    """Whole messages per second."""
    program = message_source().compile(SIGNER)
    row = ROW
    parts = program.render_parts(row.values, row.identity)
    assert parts.text is not None
    assert parts.html is not None
    text, rendered = parts.text, parts.html
    rows = [row] * 100

    def reference() -> bytes:
        message = EmailMessage(policy=policy.SMTP)
        message["Message-ID"] = program.message_id(row.identity)
        message["Date"] = format_datetime(DATE)
        message["From"] = "Shop <shop@example.com>"
        message["To"] = "Zoë O'Neil <zoe@example.com>"
        message["Subject"] = parts.subject
        message["List-Unsubscribe"] = f"<{SIGNER.url(TokenKind.UNSUBSCRIBE, row.identity)}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(text)
        message.add_alternative(rendered, subtype="html")
        return message.as_bytes()

    mine, other = alternate(
        RUNS, lambda: microseconds(lambda: program.render_many(rows), 20) / 100, lambda: microseconds(reference, 20)
    )
    size = len(rendered)
    print_speed("email_message", mine, other, "messages/s", "stdlib email, its parts already rendered", html=size)


def bench_dkim(name: str, private: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, *, indented: bool = False) -> None:
    """Microseconds that a signature adds to a message."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = private.private_bytes(encoding, form, serialization.NoEncryption()).decode()
    selector = DkimSelector(domain="example.com", selector="bench")
    source = message_source()
    if indented:
        source = replace(source, html=source.html and source.html.replace("\n", "\n      "))
    plain = source.compile(SIGNER)
    signing = replace(source, dkim=(selector,)).compile(SIGNER, keys=[DkimKey.from_pem("example.com", "bench", pem)])
    rows = [ROW] * 20
    (message,) = plain.render_many([ROW])
    assert isinstance(message, bytes)
    header, _, body = message.partition(b"\r\n\r\n")

    def bare() -> None:
        hashlib.sha256(body).digest()
        if isinstance(private, rsa.RSAPrivateKey):
            private.sign(header, padding.PKCS1v15(), hashes.SHA256())
        else:
            private.sign(hashlib.sha256(header).digest())

    def extra() -> float:
        return microseconds(lambda: signing.render_many(rows), 20) / 20 - microseconds(lambda: plain.render_many(rows), 20) / 20

    mine, other = alternate(RUNS, extra, lambda: microseconds(bare, 400))
    print_figure(name, mine, other, unit="us", against="a bare signature and one SHA-256 of the body", body=len(body))


def bench_token() -> None:
    """Tokens per second, minted into a page of a thousand links."""
    program = compile("{% link 5 %}https://x.example/{% endlink %}" * 1000, links=True, signer=SIGNER)
    identity = Identity(12, 1, 1_234_567)
    body = bytes([0x11, 1, 12, 1, 0x87, 0xAD, 0x4B, 0, 5, 0])
    secret = SIGNER.key.secret

    def reference() -> str:
        mac = hashlib.blake2s(body, key=secret, digest_size=10).digest()
        return SIGNER.base_url + "/c/" + base64.urlsafe_b64encode(body + mac).rstrip(b"=").decode()

    mine, other = alternate(
        RUNS,
        lambda: microseconds(lambda: program.render_bytes({}, identity=identity), 100) / 1000,
        lambda: microseconds(reference, 20_000),
    )
    print_speed("token", mine, other, "tokens/s", "hashlib and base64")


def print_speed(name: str, mine: list[float], other: list[float], unit: str, against: str, **more: object) -> None:
    """Microseconds as a rate."""
    print_figure(name, [1e6 / one for one in mine], [1e6 / one for one in other], unit=unit, against=against, **more)


def main() -> None:
    """All figures of the engine."""
    gc.disable()
    retain_memory(64 << 20)  # as a sending worker does
    bench_page("render_page", 50)
    bench_page("render_page_100", 100)
    bench_many()
    bench_compile()
    bench_email()
    bench_dkim("email_dkim_ed25519", ed25519.Ed25519PrivateKey.generate())
    bench_dkim("email_dkim_ed25519_indented", ed25519.Ed25519PrivateKey.generate(), indented=True)
    bench_dkim("email_dkim_rsa_2048", rsa.generate_private_key(65537, 2048))
    bench_token()


if __name__ == "__main__":
    main()
