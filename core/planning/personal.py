"""What this room keeps of people: nothing, but authors may name somebody."""

from core.personal import Kept

TABLES = (
    Kept(
        table="channel_account",
        authored="name label config",
        other="id channel secrets secret_names version paused_at pause_reason retry_at failures created_at updated_at"
        " created_by",
    ),
    Kept(table="campaign", authored="name label", other="id starts_on ends_on version created_at updated_at created_by"),
    Kept(
        table="delivery",
        authored="name label",
        other="id campaign_id channel_account_id audience_id content_id contact_at duration unknown_policy version created_at"
        " updated_at created_by service_id purpose_id ignores_holdout trap_insertion time_zone",
    ),
    Kept(table="delivery_trap", other="delivery_id test_profile_id"),
    Kept(table="delivery_trap_question", authored="question text", other="delivery_id reads"),
    Kept(
        table="delivery_control_group",
        authored="order_by order_text question question_text",
        other="delivery_id extraction share size lowest same_for audience_id reads",
    ),
    Kept(table="delivery_sending_log", authored="segment_code segment_text", other="delivery_id fields reads"),
    Kept(table="delivery_send_dates", authored="expression text", other="delivery_id zone of_recipient reads"),
    Kept(table="holdout", authored="label", other="id share seed starts_at ends_at version created_at created_by"),
    Kept(table="delivery_suppression", other="delivery_id list_id"),
)
