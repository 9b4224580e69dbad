"""What this room keeps of people: nothing, but authors may write about somebody."""

from core.personal import Kept

TABLES = (
    Kept(
        table="content",
        authored="name label parts data translations dynamic links campaign_parameters attachments",
        other="id channel version created_at updated_at created_by inline_css language reads",
    ),
    Kept(
        table="fragment", authored="name label html text parameters", other="id version created_at updated_at created_by reads",
    ),
    Kept(table="content_fragment", other="content_id fragment_id"),
    Kept(table="fragment_fragment", other="user_id fragment_id"),
)  # fmt: skip
