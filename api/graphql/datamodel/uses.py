"""Whoever names parts of the data model, and keeps them from being hidden: a list one can read."""

from __future__ import annotations

from core.content.uses import find_contents_using
from core.datamodel.uses import guarded_by, users_of
from core.delivery.uses import find_deliveries_using
from core.privacy.uses import find_namespaces_using
from core.profiles.import_templates import templates_using
from core.targeting.uses import find_file_audiences_using, find_questions_using
from core.transfers.destinations import find_destination

find_users = users_of(
    find_questions_using,
    find_file_audiences_using,
    find_contents_using,
    find_deliveries_using,
    templates_using(find_destination),
    find_namespaces_using,
)
UNUSED = guarded_by(find_users)
