"""What this room keeps of people: on which lists they are."""

from core.personal import Goes, Kept, of_profile

TABLES = (
    Kept(
        table="audience_member", rows=of_profile(), goes=Goes.ROWS, other="audience_id profile_id added_at",
    ),
    Kept(
        table="audience",
        authored="name label expression expression_text",
        other="id kind version created_at updated_at created_by reads",
    ),
    Kept(table="audience_version", authored="expression expression_text", other="audience_id version created_at"),
    Kept(table="audience_use", other="audience_id used_id"),
)  # fmt: skip
