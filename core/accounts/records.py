"""What accounts keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from core.access import Permission, Role, permissions_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """An API token without its secret. `scopes` narrow what its roles allow; None: all of it."""

    id: int
    name: str
    roles: frozenset[Role]
    scopes: frozenset[Permission] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None  # to about a minute

    @property
    def permissions(self) -> frozenset[Permission]:
        """What its bearer may do."""
        allowed = permissions_of(self.roles)
        return allowed if self.scopes is None else allowed & self.scopes

    def is_live(self, now: datetime) -> bool:
        """Whether it opens the door now."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """A token with what its secret is checked against."""

    record: TokenRecord
    key_id: int
    token_hash: bytes = field(repr=False)
