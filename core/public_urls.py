"""Addresses that leave the house: tracking, mirror, unsubscribe. Made by the engine's tokens, read back here."""

from __future__ import annotations

from core.config import Settings
from core.secrets import Keyring
from render_ext import Identity, Token, TokenKey, TokenKind, TokenSigner, verify

PURPOSE = "public-tokens"
_NOT_COUNTED = 1  # the link number of mirror tokens of the team; those in messages have none


class PublicUrls:
    """Signs with the newest key, or with the one a delivery was prepared with; verifies with all."""

    def __init__(self, settings: Settings, keyring: Keyring):
        self.base_url = settings.base_url.rstrip("/")
        self.newest_key_id = keyring.newest.key_id
        self._keys = {key_id: TokenKey(key_id, secret) for key_id, secret in keyring.derive_all(PURPOSE).items()}

    def signer(self, key_id: int, base_url: str | None = None) -> TokenSigner:
        """A signer with the given key (KeyError when it was taken out of the settings)."""
        return TokenSigner(base_url or self.base_url, self._keys[key_id])

    def uncounted_mirror(self, key_id: int, base_url: str, *recipient: int) -> str | None:
        """The address of a mirror page for the team, whose visits are not the recipient's; None when the key is gone.

        `recipient`: the key of the ledger row, which is delivery, recipient kind, recipient and occurrence.
        """
        if key_id not in self._keys:
            return None
        return self.signer(key_id, base_url).url(TokenKind.MIRROR, Identity(*recipient), _NOT_COUNTED)

    def read(self, text: str) -> Token | None:
        """The token, or None for anything forged, altered or made with a key that is gone."""
        return verify(text, self._keys)


def is_counted(token: Token) -> bool:
    """Whether a visit of the mirror page with this token is the recipient's."""
    return token.link != _NOT_COUNTED
