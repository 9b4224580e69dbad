"""The pages that recipients see, as bytes. Plain HTML without scripts, pictures or fonts; nothing in them is personal."""

from __future__ import annotations

from html import escape
from string import Template

GIF = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)  # one transparent pixel

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
body { margin: 0; font: 1.125rem/1.6 system-ui, sans-serif; color: #1b1f24; background: #f4f5f7; }
main { max-width: 32rem; margin: 12vh auto 0; padding: 2rem 1.5rem; background: #fff; border-radius: .5rem; }
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.3; }
p { margin: 0 0 1rem; }
button { font: inherit; font-weight: 600; padding: .75rem 1.5rem; color: #fff; background: #0b5cad; border: 0;
  border-radius: .375rem; cursor: pointer; min-height: 2.75rem; }
button:hover { background: #084684; }
button:focus-visible { outline: 3px solid #f5a623; outline-offset: 3px; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e8eb; background: #16181b; }
  main { background: #22262b; }
  button { background: #2f7fd1; }
}
</style>
</head>
<body>
<main>
<h1>$title</h1>
$body
</main>
</body>
</html>
""")

_FORM = """<p>You will get no more messages of this kind from us.</p>
<form method="post">
<input type="hidden" name="confirm" value="yes">
<button type="submit">Unsubscribe</button>
</form>
<p>If you do not want to unsubscribe, close this page: nothing has changed.</p>"""


def _page(title: str, body: str) -> bytes:
    return _PAGE.substitute(title=escape(title), body=body).encode()


def _say(title: str, *sentences: str) -> bytes:
    return _page(title, "\n".join(f"<p>{escape(sentence)}</p>" for sentence in sentences))


NOT_FOUND = _say("Page not found", "This address leads nowhere. It may be incomplete or too old.")
GONE = _say("Message removed", "This message is no longer available.")
UNAVAILABLE = _say("Please try again", "We cannot answer right now.", "Wait a few seconds, then load this page again.")
TOO_LARGE = _say("Request too large", "This form has more content than we read.")
NOT_ALLOWED = _say("Not possible", "This address cannot be used in this way.")
CONFIRM = _page("Unsubscribe?", _FORM)
UNSUBSCRIBED = _say("You are unsubscribed", "You will get no more messages of this kind from us.")


def text_page(subject: str | None, text: str) -> bytes:
    """A message without an HTML part as a page."""
    body = f'<div style="white-space: pre-wrap; overflow-wrap: anywhere">{escape(text)}</div>'
    return _page(subject or "Message", body)
