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
    Kept(
        table="kept_audience",
        other="id audience_id time_zone state stamp upkeep reasons trouble counted_through counted_at counting_since again"
        " log_dropped recount_at members created_by created_at",
    ),
    # Whose profile goes leaves by the log, which holds numbers of profiles alone.
    Kept(table="kept_member", rows=of_profile(), other="profile_id kept_id entered_at"),
    Kept(table="kept_due", rows=of_profile(), other="profile_id kept_id due_at"),
    Kept(table="membership_log", rows=of_profile(), other="kept_id position profile_id entered at"),
    Kept(table="membership_change", other="id at entity columns profile_ids"),
)  # fmt: skip
