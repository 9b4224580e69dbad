"""DKIM for the messages of an account.

They are signed when they are sent, not when they are rendered: a program is stored, and compiled wherever a message is
shown, so it must not need secrets, nor change when a key does. The signature is dated as the message is, so another
attempt sends the same bytes.
"""

from __future__ import annotations

from channels.email.config import DkimSetting, SmtpConfig
from render_ext import BadDkimKey, DkimKey, DkimSelector, DkimSigner
from render_ext.dkim import DOMAIN, SELECTOR


class BadDkimSetting(BadDkimKey):
    """A setting of an account with which nothing can be signed; `problem` says what is wrong with `setting`."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem


def dkim_signer(config: SmtpConfig) -> DkimSigner | None:
    """What signs for the account, None where nothing shall. Slow (checks keys). Raises BadDkimSetting."""
    keys = dkim_keys(config)
    selectors = [DkimSelector(domain=key.domain, selector=key.selector) for key in keys]
    return DkimSigner(selectors, keys) if keys else None


def dns_records(config: SmtpConfig) -> list[str]:
    """What DNS must say for verifiers, one line for each key. Slow (checks keys). Raises BadDkimSetting."""
    return [f'{name} TXT "{value}"' for name, value in (key.dns_record() for key in dkim_keys(config))]


def dkim_keys(config: SmtpConfig) -> list[DkimKey]:
    """The keys of the account, each of which can sign. Slow (checks keys). Raises BadDkimSetting."""
    keys: list[DkimKey] = []
    for one in config.dkim:
        key = _key(config.dkim_domain, one)
        if any(key.selector.lower() == other.selector.lower() for other in keys):
            raise BadDkimSetting(one.selector_name, f"the other key has the selector {key.selector!r} already")
        keys.append(key)
    return keys


def _key(domain: str, one: DkimSetting) -> DkimKey:
    if one.selector is None:
        raise BadDkimSetting(one.selector_name, f"is missing, and {one.key_name} is set")
    if one.private_key is None:
        raise BadDkimSetting(one.key_name, f"is missing, and {one.selector_name} is set")
    if SELECTOR.fullmatch(one.selector) is None:
        raise BadDkimSetting(one.selector_name, f"not a DKIM selector: {one.selector!r}")
    if DOMAIN.fullmatch(domain) is None:
        raise BadDkimSetting("dkim_domain", f"not a domain that can sign: {domain!r}")
    try:
        return DkimKey.from_pem(domain, one.selector, one.private_key)
    except BadDkimKey as error:
        raise BadDkimSetting(one.key_name, str(error)) from None
