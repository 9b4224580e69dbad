"""The pages that recipients see, as bytes. Plain HTML without scripts, pictures or fonts; nothing in them is personal."""

from __future__ import annotations

from html import escape
from string import Template

from core.profiles.records import Channel
from core.tracking.offers import Offer

# The field of the form by which the recipient asks for the whole channel, and its value.
SCOPE, WHOLE_CHANNEL = "scope", "channel"

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
button:hover { color: #fff; background: #084684; }
button:focus-visible { outline: 3px solid #f5a623; outline-offset: 3px; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e8eb; background: #16181b; }
  main { background: #22262b; }
  button:not(.second) { background: #2f7fd1; }
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

_FORM = """<form method="post">
<input type="hidden" name="confirm" value="yes">
<button type="submit">Unsubscribe</button>
</form>"""
_STAY = "<p>If you do not want to unsubscribe, close this page: nothing has changed.</p>"
_ALL = Template("""<form method="post">
<input type="hidden" name="$scope" value="$whole">
<p>You can also stop all messages that we send by $channel, whatever they are about.</p>
<button type="submit" class="second">Stop all messages by $channel</button>
</form>""")
_CHANNELS = {
    Channel.EMAIL: "email",
    Channel.MOBILE: "text message",
    Channel.PHONE: "phone",
    Channel.FAX: "fax",
    Channel.POSTAL: "post",
    Channel.PUSH: "notification",
}


def _page(title: str, body: str) -> bytes:
    return _PAGE.substitute(title=escape(title), body=body).encode()


def _say(title: str, *sentences: str) -> bytes:
    return _page(title, "\n".join(f"<p>{escape(sentence)}</p>" for sentence in sentences))


NOT_FOUND = _say("Page not found", "This address leads nowhere. It may be incomplete or too old.")
GONE = _say("Message removed", "This message is no longer available.")
UNAVAILABLE = _say("Please try again", "We cannot answer right now.", "Wait a few seconds, then load this page again.")
TOO_LARGE = _say("Request too large", "This form has more content than we read.")
NOT_ALLOWED = _say("Not possible", "This address cannot be used in this way.")


def confirm_page(offer: Offer | None) -> bytes:
    """The question before anything changes; None: it is not known what there is to leave."""
    if offer is None or offer.label is None:
        return _page("Unsubscribe?", "\n".join((_promise(None), _FORM, _STAY)))
    return _page("Unsubscribe?", "\n".join((_promise(offer.label), _FORM, _all(offer.channel), _STAY)))


def unsubscribed_page(offer: Offer | None, *, whole_channel: bool) -> bytes:
    """The answer, with the second choice for who left one thing alone."""
    if offer is None or offer.label is None:
        return _page("You are unsubscribed", _promise(None))
    if whole_channel:
        return _say("You are unsubscribed", f"You will get no more messages by {_CHANNELS[offer.channel]} from us.")
    return _page("You are unsubscribed", "\n".join((_promise(offer.label), _all(offer.channel))))


def _promise(label: str | None) -> str:
    if label is None:
        return "<p>You will get no more messages of this kind from us.</p>"
    return f"<p>You will get no more messages from us for “{escape(label)}”.</p>"


def _all(channel: Channel) -> str:
    return _ALL.substitute(scope=SCOPE, whole=WHOLE_CHANNEL, channel=_CHANNELS[channel])


def text_page(subject: str | None, text: str) -> bytes:
    """A message without an HTML part as a page."""
    body = f'<div style="white-space: pre-wrap; overflow-wrap: anywhere">{escape(text)}</div>'
    return _page(subject or "Message", body)
