"""What this room keeps of people: nothing. Tokens are those of the team's programs."""

from core.personal import Kept

TABLES = (
    Kept(
        table="api_token",
        other="id name token_hash key_id roles scopes created_at created_by expires_at revoked_at last_used_at",
    ),
)
