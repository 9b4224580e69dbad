"""Email over SMTP: aiosmtplib connects, encrypts and logs in; our own protocol then pipelines the messages.

`channel.py` is the plugin, `dial.py` makes connections, `pool.py` shares them, `lane.py` speaks SMTP on one,
`signing.py` has the DKIM keys, `replies.py` says what a refusal means.
"""

from channels.email.channel import EmailChannel

__all__ = ["EmailChannel"]
