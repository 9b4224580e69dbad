"""What this room keeps of people: on which lists they are, and what the files of audiences say of them."""

from core.personal import BLOT, Goes, Kept, of_profile

TABLES = (
    Kept(
        table="audience_member", rows=of_profile(), goes=Goes.ROWS, personal="data", other="audience_id profile_id added_at",
    ),
    Kept(
        table="audience",
        authored="name label description expression expression_text",
        other="id kind version created_at updated_at created_by reads expires_at counted counted_at",
    ),
    Kept(table="audience_version", authored="expression expression_text", other="audience_id version created_at"),
    Kept(table="audience_use", other="audience_id used_id"),
    Kept(table="audience_column", authored="name label", other="audience_id position kind personal"),
    Kept(table="audience_file", authored="options", other="audience_id file_id loaded_at reconciled_at"),
    # Of whom a row is may be unknown: then it is blotted out if it quotes somebody.
    Kept(
        table="audience_row", rows=of_profile(), goes=Goes.ROWS, texts={"data": {}},
        other="audience_id line profile_id outcome",
    ),
    Kept(
        table="audience_run", texts={"error": {"code": "ERASED", "message": BLOT}, "result": {}}, authored="request",
        other="id task state audience_id file_id time_zone seconds total done position lines_read fence created_by created_at"
        " started_at heartbeat_at finished_at",
    ),
    Kept(
        table="question_filter", authored="name label parameters expression expression_text",
        other="id entity reads version created_at updated_at created_by",
    ),
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
