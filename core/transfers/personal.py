"""What this room keeps of people: whom an import has put on its list."""

from core.personal import Goes, Kept, of_profile

TABLES = (Kept(table="import_list_member", rows=of_profile(), goes=Goes.ROWS, other="import_id profile_id"),)
