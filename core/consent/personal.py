"""What this room keeps of people: to what they subscribed, what they agreed to, and the proofs of it."""

from core.personal import Goes, Kept, of_profile

_REWRITING = "clarion.rewriting_consent"  # what is only ever added to is erased while this is on

TABLES = (
    Kept(
        table="subscription", rows=of_profile(), goes=Goes.ROWS, personal="origin",
        other="service_id profile_id state since expires_at confirm_by",
    ),
    Kept(
        table="subscription_event", rows=of_profile(), goes=Goes.ROWS, personal="origin", setting=_REWRITING,
        other="id profile_id service_id kind state first_time happened_at expires_at actor",
    ),
    Kept(
        table="consent_entry", rows=of_profile(), goes=Goes.ROWS, personal="origin proof", setting=_REWRITING,
        other="id profile_id channel purpose_id service_id decision wording_id actor happened_at recorded_at by_person",
    ),
    Kept(
        table="purpose_consent", rows=of_profile(), goes=Goes.ROWS,
        other="purpose_id profile_id decision since wording_id",
    ),
    Kept(
        table="service",
        authored="name label public_label",
        other="id address_kind mode starts_at ends_at validity double_opt_in confirm_within subscribe_confirmation"
        " subscribe_event unsubscribe_confirmation unsubscribe_event version created_at updated_at created_by",
    ),
    Kept(
        table="consent_purpose", authored="name label", other="id needs_consent version created_at updated_at created_by",
    ),
    Kept(table="consent_wording", authored="name text", other="id version created_at created_by"),
)  # fmt: skip
