"""What this room keeps of people: what they did with messages, and with which browser. Counters and uniques stay."""

from core.personal import Goes, Kept, of_recipient

TABLES = (
    Kept(
        table="tracking_event", rows=of_recipient("tracking_count"), goes=Goes.VALUES, personal="user_agent",
        other="position at delivery_id recipient_id corrects occurrence link link_occurrence recipient_kind kind machine_rule"
        " url",
    ),
    Kept(
        table="tracking_first",
        other="delivery_id recipient_id occurrence link recipient_kind kind machine machine_first",
    ),
    Kept(table="tracking_count", other="delivery_id slot link kind machine total uniques"),
    Kept(table="tracking_second_look", other="position"),
    Kept(table="machine_rule", authored="pattern description", other="id kind seconds least enabled"),
)  # fmt: skip
